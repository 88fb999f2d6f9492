import path from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import type { Batch, Queue } from "../../../edge/queue/queue.ts";
import {
  assertBooks,
  crashCopy,
  idOf,
  open,
  pointsOf,
  recordOf,
  sumOfPoints,
  temporaryDirectory,
} from "./fixtures.ts";

const runs = Number(process.env.LUMETRY_QUEUE_RUNS ?? 25);

/** The queue as anyone would write it who never loses power: an array. */
interface Model {
  queued: { id: number; offset: number | undefined }[];
  inFlight: { batchId: string; count: number } | undefined;
  cuts: Set<number>;
  nextId: number;
  acknowledged: number;
  refused: number;
  unreadable: number;
  batchIds: Set<string>;
}

interface Real {
  t: ExecutionContext<unknown>;
  directory: string;
  queue: Queue;
  batch: Batch | undefined;
  copies: number;
}

type Command = fc.AsyncCommand<Model, Real>;

/** What the array says that the next batch is. */
function expected(model: Model, maxPoints: number, maxBytes: number): number {
  const [first] = model.queued;
  let [count, points, bytes] = [0, 0, 0];
  for (const { id, offset } of model.queued) {
    points += pointsOf(id);
    bytes += recordOf(id).payload.length;
    if (count > 0 && (points > maxPoints || bytes > maxBytes || offset !== first?.offset)) break;
    count++;
    if (model.cuts.has(id)) break;
  }
  return count;
}

const inFlight = (model: Readonly<Model>) => model.inFlight !== undefined;

function settle(model: Model): number[] {
  const count = model.inFlight?.count ?? 0;
  model.inFlight = undefined;
  return model.queued.splice(0, count).map(({ id }) => id);
}

const append = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.constantFrom(undefined, 0, 250)).map(
  ([count, offset]): Command => ({
    check: () => true,
    toString: () => `append(${count}, ${offset})`,
    async run(model, { queue }) {
      const ids = Array.from({ length: count }, () => model.nextId++);
      await Promise.all(ids.map((id) => queue.append({ ...recordOf(id), clockOffsetMs: offset })));
      model.queued.push(...ids.map((id) => ({ id, offset })));
    },
  }),
);

const next = fc.tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: 120_000 })).map(
  ([maxPoints, maxBytes]): Command => ({
    check: () => true,
    toString: () => `next(${maxPoints}, ${maxBytes})`,
    async run(model, real) {
      const batch = await real.queue.next({ maxPoints, maxBytes });
      real.batch = batch;
      if (model.queued.length === 0) return void real.t.is(batch, undefined);
      if (!batch) throw new Error("nothing came");
      const ids = batch.records.map((record) => idOf(real.t, record));
      if (model.inFlight) {
        real.t.is(batch.batchId, model.inFlight.batchId);
        real.t.is(ids.length, model.inFlight.count);
      } else {
        real.t.false(model.batchIds.has(batch.batchId), "an id is never used for another batch");
        // A batch also ends with a segment, which the array knows nothing of.
        const most = expected(model, maxPoints, maxBytes);
        real.t.true(ids.length >= 1 && ids.length <= most, `${ids.length} of ${most}`);
      }
      const same = model.queued.slice(0, ids.length);
      real.t.deepEqual(
        ids,
        same.map(({ id }) => id),
      );
      real.t.is(batch.clockOffsetMs, same[0]?.offset);
      model.batchIds.add(batch.batchId);
      model.inFlight = { batchId: batch.batchId, count: ids.length };
    },
  }),
);

/** A call with the batch in flight; after a restart it must be asked for first. */
function withBatch(name: string, run: (model: Model, real: Real, batch: Batch) => Promise<void>) {
  return fc.constant<Command>({
    check: inFlight,
    toString: () => name,
    async run(model, real) {
      real.batch ??= await real.queue.next({ maxPoints: 1, maxBytes: 1 });
      if (!real.batch) throw new Error("the batch in flight is gone");
      await run(model, real, real.batch);
      real.batch = undefined;
    },
  });
}

const acknowledge = withBatch("acknowledge", async (model, { queue }, batch) => {
  await queue.acknowledge(batch, { refusedPoints: 1 });
  model.acknowledged += sumOfPoints(settle(model));
  model.refused += 1;
});

const release = withBatch("release", async (model, { queue }, batch) => {
  await queue.release(batch);
  model.inFlight = undefined;
});

const split = withBatch("split or park", async (model, { queue }, batch) => {
  const count = batch.records.length;
  if (count === 1) {
    await queue.park(batch, "for a test");
    model.unreadable += sumOfPoints(settle(model));
    return;
  }
  await queue.split(batch);
  model.inFlight = undefined;
  for (const at of [(count >> 1) - 1, count - 1]) {
    const cut = model.queued[at];
    if (cut) model.cuts.add(cut.id);
  }
});

const restart = fc.constant<Command>({
  check: () => true,
  toString: () => "restart",
  async run(_model, real) {
    await real.queue[Symbol.asyncDispose]();
    real.queue = await open(real.directory);
    real.batch = undefined;
  },
});

const crash = fc.constant<Command>({
  check: () => true,
  toString: () => "crash",
  async run(_model, real) {
    const { directory } = real;
    real.directory = await crashCopy(directory, `${directory.split("+")[0]}+${real.copies++}`);
    await real.queue[Symbol.asyncDispose]();
    real.queue = await open(real.directory);
    real.batch = undefined;
  },
});

function assertSame(model: Model, { t, queue }: Real): void {
  const health = queue.health();
  t.is(health.queuedPoints, sumOfPoints(model.queued.map(({ id }) => id)));
  t.is(
    health.queuedBytes,
    model.queued.reduce((sum, { id }) => sum + recordOf(id).payload.length, 0),
  );
  t.is(health.acknowledgedPoints, model.acknowledged);
  t.is(health.refusedPoints, model.refused);
  t.is(health.unreadablePoints, model.unreadable);
  t.is(health.droppedPoints + health.damagedPoints, 0);
  assertBooks(t, queue);
}

test("whatever is done to it, the queue behaves like an array", async (t) => {
  const parent = await temporaryDirectory(t);
  let round = 0;
  const commands = fc.commands(
    [append, append, append, next, next, acknowledge, acknowledge, release, split, restart, crash],
    {
      size: "medium",
      maxCommands: 40,
    },
  );
  await fc.assert(
    fc.asyncProperty(commands, async (commands) => {
      const model: Model = {
        queued: [],
        inFlight: undefined,
        cuts: new Set(),
        nextId: 1,
        acknowledged: 0,
        refused: 0,
        unreadable: 0,
        batchIds: new Set(),
      };
      const directory = path.join(parent, `${round++}`);
      const real: Real = {
        t,
        directory,
        queue: await open(directory),
        batch: undefined,
        copies: 0,
      };
      const checked = [...commands].map((command) => withCheck(command));
      try {
        await fc.asyncModelRun(() => ({ model, real }), checked);
      } finally {
        await real.queue[Symbol.asyncDispose]();
      }
    }),
    { numRuns: runs, endOnFailure: true, includeErrorInReport: true },
  );
});

/** Compares counters after every command. */
function withCheck(command: Command): Command {
  return {
    check: (model) => command.check(model),
    toString: () => command.toString(),
    async run(model, real) {
      await command.run(model, real);
      assertSame(model, real);
    },
  };
}
