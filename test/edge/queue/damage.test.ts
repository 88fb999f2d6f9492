import { cpSync, readdirSync, rmSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Queue } from "../../../edge/queue/queue.ts";
import { systemClock } from "../../../lib/clock.ts";
import {
  appendAll,
  assertBooks,
  crashCopy,
  drain,
  ledger,
  open,
  randomFrom,
  range,
  sumOfPoints,
  temporaryDirectory,
  timeOf,
  warnings,
} from "./fixtures.ts";
import {
  anywhere,
  type Damage,
  flip,
  garbage,
  logs,
  overwrite,
  segments,
  tables,
  toFiles,
} from "./harm.ts";

const seeds = Number(process.env.LUMETRY_QUEUE_DAMAGES ?? 12);
const ids = range(1, 260);
const settled = 70;

let template = "";

/** A queue of five segments: 70 records are acknowledged, some are in flight, the last segment is open. */
test.before(async () => {
  template = await mkdtemp(path.join(os.tmpdir(), "lumetry-queue-"));
  const queue = await open(template);
  for (let at = 0; at < ids.length; at += 20) await appendAll(queue, ids.slice(at, at + 20));
  for (let left = sumOfPoints(range(1, settled)); left > 0; ) {
    const batch = await queue.next({ maxPoints: left, maxBytes: 1e6 });
    if (!batch) throw new Error("nothing came");
    left -= batch.points;
    await queue.acknowledge(batch);
  }
  await queue.next({ maxPoints: 200, maxBytes: 1e6 });
  await queue[Symbol.asyncDispose]();
});
test.after.always(() => rm(template, { recursive: true }));

async function freshCopy(t: ExecutionContext<unknown>): Promise<string> {
  return crashCopy(template, path.join(await temporaryDirectory(t), "queue"));
}

/** Opens, empties and checks a queue that may have lost records, but whose bookkeeping is whole. */
async function assertExactLoss(t: ExecutionContext<unknown>, directory: string): Promise<number[]> {
  await using queue = await open(directory);
  assertBooks(t, queue);
  t.is(queue.health().appendedPoints, sumOfPoints(ids));
  const delivered = await drain(t, queue);
  const lost = ids.slice(settled).filter((id) => !delivered.includes(id));
  t.deepEqual(
    [...delivered].sort((a, b) => a - b),
    delivered,
    "in order",
  );
  t.is(new Set(delivered).size, delivered.length, "nothing twice");
  t.is(queue.health().damagedPoints, sumOfPoints(lost), "the loss is counted to the point");
  t.is(ledger(queue, "damage"), sumOfPoints(lost));
  t.is(queue.health().queuedPoints, 0);
  t.is(queue.health().acknowledgedPoints, sumOfPoints(range(1, settled)) + sumOfPoints(delivered));
  assertBooks(t, queue);
  assertTimes(t, queue, lost);
  await appendAll(queue, [ids.length + 1]);
  t.deepEqual(await drain(t, queue), [ids.length + 1], "and it works on");
  return lost;
}

/** Every lost record lies in the time of an entry of the ledger. */
function assertTimes(t: ExecutionContext<unknown>, queue: Queue, lost: number[]): void {
  for (const id of lost) {
    const covered = queue.drops.some(
      ({ startTime, endTime }) => startTime <= timeOf(id) && timeOf(id) <= endTime,
    );
    t.true(covered, `record ${id} is lost at ${timeOf(id)}`);
  }
}

const places: [string, (all: string[]) => string | undefined, Record<string, Damage>][] = [
  ["the segment that is being read", (all) => all[0], { ...anywhere, ...tables }],
  ["a segment in the middle", (all) => all[2], { ...anywhere, ...tables }],
  ["the open segment", (all) => all.at(-1), { ...anywhere, ...logs }],
];

for (const [place, choose, damages] of places) {
  test(`in ${place}, any damage costs what is damaged and no more`, async (t) => {
    const results: string[] = [];
    for (const [what, harm] of Object.entries(damages)) {
      const directory = await freshCopy(t);
      const segment = choose(await segments(directory));
      if (!segment) return t.fail("no such segment");
      await harm(segment, () => 0.9);
      const lost = await assertExactLoss(t, directory);
      results.push(`${what}: ${lost.length} records lost`);
      if (/CURRENT|manifest/.test(what)) t.is(lost.length, 0, what);
    }
    t.log(results.join("; "));
  });
}

test("flipped bits never come out, wherever they are", async (t) => {
  const seed = Number(process.env.LUMETRY_QUEUE_SEED ?? 1 + (Date.now() % 1_000_000));
  let total = 0;
  for (let round = 0; round < seeds; round++) {
    const random = randomFrom(seed + round);
    const directory = await freshCopy(t);
    const all = await segments(directory);
    const files: string[] = [];
    for (const segment of all) {
      for (const name of await readdir(segment)) {
        if (/\.ldb$|\.log$|MANIFEST/.test(name)) files.push(path.join(segment, name));
      }
    }
    for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
      const file = files[Math.floor(random() * files.length)] ?? "";
      if ((await readFile(file)).length > 0) await flip(file, random);
    }
    const lost = await assertExactLoss(t, directory);
    total += lost.length;
    t.true(lost.length < 60, `seed ${seed + round} lost ${lost.length}`);
  }
  t.log(`seed ${seed}: ${seeds} damaged queues, ${total} of ${seeds * ids.length} records lost`);
});

test("several segments gone at once are counted each, and at the start", async (t) => {
  const directory = await freshCopy(t);
  const all = await segments(directory);
  for (const segment of [all[1], all[2], all.at(-1)]) {
    if (segment) await rm(segment, { recursive: true });
  }
  const queue = await open(directory);
  const { damagedPoints } = queue.health();
  t.is(ledger(queue, "damage"), damagedPoints);
  await queue[Symbol.asyncDispose]();
  const lost = await assertExactLoss(t, directory);
  t.true(lost.length > 100);
  t.is(damagedPoints, sumOfPoints(lost));
});

const bookkeeping: Record<string, (directory: string, random: () => number) => Promise<unknown>> =
  {};
for (const [what, harm] of Object.entries({ ...anywhere, ...logs })) {
  bookkeeping[`meta: ${what}`] = (directory, random) => harm(path.join(directory, "meta"), random);
}
Object.assign(bookkeeping, {
  "the checkpoint is missing": (directory: string) => rm(path.join(directory, "checkpoint")),
  "the checkpoint is garbage": (directory: string) =>
    writeFile(path.join(directory, "checkpoint"), garbage),
  "meta and checkpoint are missing": async (directory: string) => {
    await rm(path.join(directory, "checkpoint"));
    await rm(path.join(directory, "meta"), { recursive: true });
  },
  "the lock's files are garbage": async (directory: string) => {
    for (const name of await readdir(path.join(directory, "lock"))) {
      await writeFile(path.join(directory, "lock", name), garbage);
    }
  },
  "everything but the segments is missing": async (directory: string) => {
    for (const name of await readdir(directory)) {
      if (name !== "segments") await rm(path.join(directory, name), { recursive: true });
    }
  },
});

test("lost bookkeeping costs no record: some may come twice, and the books still balance", async (t) => {
  for (const [what, harm] of Object.entries(bookkeeping)) {
    const directory = await freshCopy(t);
    await harm(directory, randomFrom(3));
    await using queue = await open(directory);
    assertBooks(t, queue);
    const delivered = await drain(t, queue);
    t.deepEqual(delivered.slice(-(ids.length - settled)), ids.slice(settled), what);
    t.is(new Set(delivered).size, delivered.length, what);
    t.is(queue.health().damagedPoints, 0, what);
    t.is(queue.health().appendedPoints, sumOfPoints(ids), what);
    assertBooks(t, queue);
    await appendAll(queue, [ids.length + 1]);
    t.deepEqual(await drain(t, queue), [ids.length + 1], what);
  }
});

test("without any bookkeeping, what is missing between segments is still known", async (t) => {
  const directory = await freshCopy(t);
  const all = await segments(directory);
  await rm(path.join(directory, "checkpoint"));
  await rm(path.join(directory, "meta"), { recursive: true });
  await rm(all[2] ?? "", { recursive: true });
  await toFiles(/\.ldb$/, flip)(all[1] ?? "", randomFrom(5));
  await using queue = await open(directory);
  const delivered = await drain(t, queue);
  const first = delivered[0] ?? 0;
  const lost = range(first, ids.length).filter((id) => !delivered.includes(id));
  t.is(queue.health().damagedPoints, sumOfPoints(lost));
  t.true(lost.length > 40);
  assertBooks(t, queue);
  t.true((queue.drops[0]?.dropId ?? 0n) > 1_000_000n, "ids of drops are not used a second time");
});

test("a crash at any step of a repair changes nothing about its outcome", async (t) => {
  const directory = await freshCopy(t);
  const [segment = ""] = await segments(directory);
  await toFiles(/\.ldb$/, (file) => overwrite(file, 8192, garbage))(segment, () => 0.5);
  const crashes: string[] = [];
  const crash = () => {
    const copy = path.join(path.dirname(directory), `crash-${crashes.length}`);
    crashes.push(copy);
    cpSync(directory, copy, { recursive: true });
    for (const name of readdirSync(copy)) {
      if (name.startsWith("owner.")) rmSync(path.join(copy, name));
    }
  };
  {
    // It warns before it writes the copy, and asks for the time right before it moves files.
    const log = { ...warnings(), warn: crash };
    const now = () => {
      crash();
      return Date.now();
    };
    const clock = { ...systemClock, now };
    await using queue = await open(directory, { log, clock });
    const { damagedPoints } = queue.health();
    t.is(damagedPoints, 0);
    await drain(t, queue);
    t.true(queue.health().damagedPoints > 0);
  }
  t.is(crashes.length, 2);
  const [before = "", between = ""] = crashes;
  t.is((await readdir(path.join(between, "salvage"))).length, 1);
  const after = path.join(path.dirname(directory), "after");
  await cp(between, after, { recursive: true });
  await rm(path.join(after, "segments", path.basename(segment)), { recursive: true });
  const lost = await assertExactLoss(t, before);
  t.true(lost.length > 0);
  t.deepEqual(await assertExactLoss(t, between), lost);
  t.deepEqual(await assertExactLoss(t, after), lost);
});
