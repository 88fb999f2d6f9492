import { readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import {
  appendAll,
  assertBooks,
  drain,
  idOf,
  ledger,
  open,
  pointsOf,
  randomFrom,
  range,
  sumOfPoints,
  temporaryDirectory,
  warnings,
} from "./fixtures.ts";
import { flip, garbage, overwrite, segments, toFiles } from "./harm.ts";

const ids = range(1, 260);

test("damage that shows while reading is repaired on the spot", async (t) => {
  const directory = path.join(await temporaryDirectory(t), "queue");
  const log = warnings();
  await using queue = await open(directory, { log });
  for (let at = 0; at < ids.length; at += 20) await appendAll(queue, ids.slice(at, at + 20));
  const all = await segments(directory);
  await toFiles(/\.ldb$/, flip)(all[1] ?? "", randomFrom(11));
  await toFiles(/\.ldb$/, (file) => rm(file))(all[2] ?? "", randomFrom(11));
  t.is(queue.health().damagedPoints, 0);
  const delivered = await drain(t, queue);
  const lost = ids.filter((id) => !delivered.includes(id));
  t.true(lost.length > 0);
  t.is(queue.health().damagedPoints, sumOfPoints(lost));
  t.is(log.messages.filter((message) => /damaged/.test(message)).length, 2);
  assertBooks(t, queue);
});

test("a batch in flight whose records are damaged comes again with what is left of it", async (t) => {
  const directory = path.join(await temporaryDirectory(t), "queue");
  const bad = 5;
  let batchId: string | undefined;
  {
    await using queue = await open(directory);
    await appendAll(queue, range(1, 20));
    batchId = (await queue.next({ maxPoints: 1e6, maxBytes: 1e6 }))?.batchId;
  }
  const [segment] = await segments(directory);
  const log = (await readdir(segment ?? "")).find((name) => name.endsWith(".log")) ?? "";
  const file = path.join(segment ?? "", log);
  const bytes = await readFile(file);
  const marker = Buffer.alloc(4);
  marker.writeUInt32LE(bad);
  const at = bytes.indexOf(marker, bytes.indexOf(Buffer.concat([Buffer.from("LqFr")])) + 4 * 3_000);
  await overwrite(file, at + 40, garbage.subarray(0, 8));
  await using queue = await open(directory);
  const again = await queue.next({ maxPoints: 1, maxBytes: 1 });
  t.is(again?.batchId, batchId);
  const left = again?.records.map((record) => idOf(t, record)) ?? [];
  const lost = range(1, 20).filter((id) => !left.includes(id));
  t.true(lost.length >= 1 && lost.length <= 2, `${lost}`);
  if (again) await queue.acknowledge(again);
  t.is(queue.health().damagedPoints, sumOfPoints(lost));
  t.is(queue.health().acknowledgedPoints, sumOfPoints(left));
  t.is(queue.health().queuedPoints, 0);
  assertBooks(t, queue);
});

test("damaged files are kept for a look, but no more than a twentieth of the limit", async (t) => {
  const directory = path.join(await temporaryDirectory(t), "queue");
  const quarantine = path.join(directory, "quarantine");
  for (let round = 0; round < 4; round++) {
    const queue = await open(directory);
    await appendAll(queue, range(1, 45));
    await queue[Symbol.asyncDispose]();
    await toFiles(/^CURRENT$/, (file) => rm(file))(
      (await segments(directory)).at(-1) ?? "",
      Math.random,
    );
  }
  await using queue = await open(directory);
  assertBooks(t, queue);
  t.is(queue.health().damagedPoints, 0);
  const kept = await readdir(quarantine);
  t.true(kept.length >= 1 && kept.length <= 3, `${kept.length}`);
  let size = 0;
  for (const name of kept) {
    for (const file of await readdir(path.join(quarantine, name))) {
      size += (await readFile(path.join(quarantine, name, file))).length;
    }
  }
  t.true(size <= 5_000_000 / 20, `${size} bytes`);
});

test("held records that are damaged are counted, and the rest of the batch comes", async (t) => {
  const directory = path.join(await temporaryDirectory(t), "queue");
  {
    await using queue = await open(directory);
    await appendAll(queue, range(1, 20));
    await queue.next({ maxPoints: 100, maxBytes: 1e6 });
    for (let at = 21; at < 1_800; at += 20) await appendAll(queue, range(at, at + 19));
  }
  const held = path.join(directory, "held");
  await overwrite(held, 300, garbage.subarray(0, 4));
  await using queue = await open(directory);
  const again = await queue.next({ maxPoints: 1, maxBytes: 1 });
  t.is(again?.records.length, 11); // 2 + 3 + … + 13 = 90 points, without the first record
  t.is(queue.health().damagedPoints, pointsOf(1));
  t.is(ledger(queue, "damage"), pointsOf(1));
  if (again) await queue.acknowledge(again);
  await drain(t, queue);
  assertBooks(t, queue);
  t.is(queue.health().queuedPoints, 0);
});
