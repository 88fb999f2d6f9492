import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { readBlock } from "../../../server/chunks/block-format.ts";
import type { Chunked } from "../../../server/chunks/packing.ts";
import { makePackingThread } from "../../../server/chunks/packing-thread.ts";
import { segmentOf, type TestPoint } from "../../support/log.ts";

const TODAY = Math.floor(Date.now() / 86_400_000) * 86_400_000;
const going = () => new AbortController().signal;

/** So many points of one series, a millisecond apart. */
const pointsOf = (seriesId: number, count: number) =>
  Array.from({ length: count }, (_, at): TestPoint => [seriesId, TODAY + at, at]);

const readAll = ({ blocks }: Pick<Chunked, "blocks">) =>
  blocks.flatMap(({ body }) =>
    [...readBlock(Buffer.from(body), () => true)].flatMap(({ seriesId, times, values }) =>
      Array.from(times, (ms, at): TestPoint => [seriesId, ms, values[at] as number]),
    ),
  );

test("a thread packs what it is given while others have their turn here, and what was handed over is gone", async (t) => {
  await using thread = makePackingThread();
  const [few, many] = [pointsOf(1, 3), pointsOf(2, 200_000)];
  const bodies = [segmentOf(few), segmentOf(many), Buffer.from("damaged")];
  const task = thread.run("chunkSegments", { bodies, oldestMs: 0 }, going());
  t.is(bodies[1]?.length, 0);
  t.is(await Promise.race([task.then(() => "packed"), sleep(1, "others")]), "others");
  const chunked = await task;
  t.deepEqual(readAll(chunked), [...few, ...many]);
  t.deepEqual(
    chunked.senders.map(({ senderId, seriesIds }) => [senderId, [...seriesIds]]),
    [["s", [1, 2]]],
  );
  t.deepEqual(chunked.damaged, [{ index: 2, reason: "a segment's check does not match" }]);
  t.is(chunked.expired, 0);
});

test("tasks are done one after the other; one that fails or is given up costs no other", async (t) => {
  await using thread = makePackingThread();
  const place = { windowStart: TODAY, bucket: 0 };
  const { blocks } = await thread.run(
    "chunkSegments",
    { bodies: [segmentOf(pointsOf(5, 10))], oldestMs: 0 },
    going(),
  );
  const [body] = blocks.map((block) => block.body);
  const damaged = Buffer.from(body ?? []);
  damaged.reverse();
  const ending = new AbortController();
  const bodies = [segmentOf(pointsOf(6, 200_000))];
  const givenUp = thread.run("chunkSegments", { bodies, oldestMs: 0 }, ending.signal);
  const merge = (one: Uint8Array) =>
    thread.run("mergeChunks", { place, bodies: [one], blockPoints: 100 }, going());
  const failing = merge(damaged);
  const merged = merge(body ?? damaged);
  ending.abort(new Error("the lease was lost"));
  await t.throwsAsync(givenUp, { message: "the lease was lost" });
  await t.throwsAsync(failing, { message: "a block's check does not match" });
  t.deepEqual(readAll(await merged), pointsOf(5, 10));
  t.deepEqual([...(await merged).lastSeen], [[5, TODAY + 9]]);
  await t.throwsAsync(thread.run("chunkSegments", { bodies: [], oldestMs: 0 }, ending.signal), {
    message: "the lease was lost",
  });
});

test("a thread that ends takes its tasks with it, and the next task has another", async (t) => {
  await using thread = makePackingThread();
  const task = () => {
    const bodies = [segmentOf(pointsOf(1, 100_000))];
    return thread.run("chunkSegments", { bodies, oldestMs: 0 }, going());
  };
  const cut = t.throwsAsync(task(), { message: "the thread that makes chunks has ended" });
  await thread[Symbol.asyncDispose]();
  await cut;
  t.is((await task()).blocks.length, 4);
});
