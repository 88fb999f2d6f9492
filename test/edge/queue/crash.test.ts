import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import test, { type ExecutionContext } from "ava";
import {
  appendAll,
  assertBooks,
  crashCopy,
  drain,
  idOf,
  ledger,
  limits,
  open,
  randomFrom,
  range,
  sumOfPoints,
  temporaryDirectory,
} from "./fixtures.ts";

const rounds = Number(process.env.LUMETRY_QUEUE_ROUNDS ?? 10);
const seed = Number(process.env.LUMETRY_QUEUE_SEED ?? 1 + (Date.now() % 1_000_000));

/** What the processes said before they died, and what a server would know. */
class Witness {
  readonly #t: ExecutionContext<unknown>;
  tried = new Set<number>();
  durable = new Set<number>();
  /** The contents of every batch ever handed out. */
  batches = new Map<string, string>();
  sent = new Map<string, number[]>();
  warnings = new Set<string>();
  #lastSent = 0;

  constructor(t: ExecutionContext<unknown>) {
    this.#t = t;
  }

  hear(line: string): void {
    const [word = "", ...rest] = line.split(" ");
    const ids = (rest.at(-1) ?? "").split(",").map(Number);
    if (word === "warning") this.warnings.add(rest.join(" "));
    if (word === "try") for (const id of ids) this.tried.add(id);
    if (word === "durable") for (const id of ids) this.durable.add(id);
    if (word === "got") this.#got(rest[0] ?? "", ids);
    if (word === "sent") this.#sent(rest[0] ?? "", ids);
  }

  #got(batchId: string, ids: number[]): void {
    const known = this.batches.get(batchId);
    if (known !== undefined) this.#t.is(ids.join(), known, `batch ${batchId} has changed`);
    this.batches.set(batchId, ids.join());
  }

  #sent(batchId: string, ids: number[]): void {
    if (this.sent.has(batchId)) return; // a retry, which the server collapses
    this.#t.true((ids[0] ?? 0) > this.#lastSent, "oldest first, and nothing twice");
    this.#t.deepEqual(
      [...ids].sort((a, b) => a - b),
      ids,
    );
    this.#lastSent = ids.at(-1) ?? 0;
    this.sent.set(batchId, ids);
  }
}

function startChild(directory: string, ...more: (string | number)[]): ChildProcess {
  const script = new URL("child.ts", import.meta.url).pathname;
  return spawn(process.execPath, [script, directory, ...more.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Kills a child some time after it has opened the queue, or while it does. */
async function runAndKill(
  child: ChildProcess,
  witness: Witness,
  random: () => number,
): Promise<void> {
  const exited = once(child, "exit");
  const kill = () => void child.kill("SIGKILL");
  if (random() < 0.25) setTimeout(kill, 100 + random() * 200);
  if (!child.stdout) throw new Error("no output");
  for await (const line of createInterface(child.stdout)) {
    if (line === "ready") setTimeout(kill, random() * 200);
    else witness.hear(line);
  }
  const [code, signal] = await exited;
  if (signal !== "SIGKILL") throw new Error(`the child ended by itself: ${code ?? signal}`);
}

async function prepare(directory: string, witness: Witness, count: number): Promise<void> {
  await using queue = await open(directory);
  for (let at = 1; at <= count; at += 50) {
    const ids = range(at, at + 49);
    await appendAll(queue, ids);
    for (const word of ["try", "durable"]) witness.hear(`${word} ${ids}`);
  }
}

for (const { title, acknowledge, queuedBefore } of [
  { title: "while most is sent", acknowledge: 0.7, queuedBefore: 0 },
  { title: "while little is sent and the queue overflows", acknowledge: 0.02, queuedBefore: 1_450 },
]) {
  test(`the books are exact after any number of kills ${title}`, async (t) => {
    const directory = await temporaryDirectory(t);
    const random = randomFrom(seed);
    const witness = new Witness(t);
    if (queuedBefore > 0) await prepare(directory, witness, queuedBefore);
    for (let round = 1; round <= rounds; round++) {
      const nextId = Math.max(0, ...witness.tried) + 1;
      const child = startChild(directory, seed + round, nextId, acknowledge);
      await runAndKill(child, witness, random);
    }
    await using queue = await open(directory);
    assertBooks(t, queue);
    for (;;) {
      const batch = await queue.next(limits);
      if (!batch) break;
      const ids = batch.records.map((record) => idOf(t, record));
      witness.hear(`got ${batch.batchId} ${ids}`);
      witness.hear(`sent ${batch.batchId} ${ids}`);
      await queue.acknowledge(batch);
      assertBooks(t, queue);
    }
    const health = queue.health();
    const sent = new Set([...witness.sent.values()].flat());
    const missing = [...witness.durable].filter((id) => !sent.has(id));
    const neverHeardOf = [...witness.tried].filter((id) => !sent.has(id));
    const gone = health.droppedPoints + health.unreadablePoints;
    t.is(health.queuedPoints, 0);
    t.is(health.damagedPoints, 0);
    t.deepEqual(
      [...witness.warnings].filter((text) => !text.includes("is full")),
      [],
      "a kill is no damage",
    );
    t.is(health.acknowledgedPoints, sumOfPoints(sent));
    t.is(ledger(queue, "limit"), health.droppedPoints);
    t.is(ledger(queue, "unreadable"), health.unreadablePoints);
    t.true(sumOfPoints(missing) <= gone, "nothing durable is missing beyond what was counted");
    t.true(gone <= sumOfPoints(neverHeardOf), "nothing is counted as gone that has arrived");
    t.log(
      `seed ${seed}: ${rounds} rounds and kills; ${witness.durable.size} records durable, ` +
        `${witness.sent.size} batches, ${health.droppedPoints} points dropped, ${health.unreadablePoints} unreadable`,
    );
  });
}

test("a crash at any step of a batch's life neither loses nor changes it", async (t) => {
  const directory = await temporaryDirectory(t);
  /** Opens what a crash right now would leave, and tells what comes out of it. */
  const afterCrash = async (): Promise<{ batchId: string | undefined; ids: number[] }> => {
    const copy = await crashCopy(directory, path.join(await temporaryDirectory(t), "copy"));
    await using queue = await open(copy);
    const batch = await queue.next({ maxPoints: 7, maxBytes: 1e6 });
    const ids = await drain(t, queue);
    assertBooks(t, queue);
    return { batchId: batch?.batchId, ids };
  };
  await using queue = await open(directory);
  t.deepEqual((await afterCrash()).ids, []);
  await appendAll(queue, range(1, 100));
  t.deepEqual((await afterCrash()).ids, range(1, 100));
  const batch = await queue.next(limits);
  if (!batch) return t.fail();
  const last = batch.records.length;
  t.deepEqual(await afterCrash(), { batchId: batch.batchId, ids: range(1, 100) });
  await queue.release(batch);
  t.not((await afterCrash()).batchId, batch.batchId);
  const second = await queue.next(limits);
  if (!second) return t.fail();
  await queue.split(second);
  const half = await queue.next(limits);
  if (!half) return t.fail();
  t.is(half.records.length, last >> 1);
  t.is((await afterCrash()).batchId, half.batchId);
  await queue.acknowledge(half);
  const afterHalf = await afterCrash();
  t.deepEqual(afterHalf.ids, range((last >> 1) + 1, 100));
  const third = await queue.next(limits);
  if (!third) return t.fail();
  await queue.park(third, "for a test");
  t.deepEqual((await afterCrash()).ids, range(last + 1, 100));
});
