import { durationMs } from "@bufbuild/protobuf/wkt";
import test, { type ExecutionContext } from "ava";
import { Attention_Kind as Attention } from "../../gen/lumetry/v1/edge_pb.js";
import { type ArrivedRun, isOldestFirst, readArrivals } from "../support/arrivals.ts";
import { eventually } from "../support/eventually.ts";
import { direct, type Installation, install } from "../support/installation.ts";
import type { LoadedEdge } from "../support/load.ts";
import { startProxy } from "../support/proxy.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const HOUR = 3_600_000;

const shifted = (shiftMs: number) => ({
  preload: ["shifted-clock.ts"],
  environment: { LUMETRY_TEST_CLOCK_SHIFT: String(shiftMs) },
});

const collected = (collector: LoadedEdge, points: number) =>
  eventually("points are collected", async () => {
    const status = await collector.status();
    return status && status.queue.appendedPoints >= points && status;
  });

/** Sets the clock once some points are there, and waits for more. */
async function jump(collector: LoadedEdge, jumpMs: number): Promise<void> {
  const { queue } = await collected(collector, 50);
  collector.child.send({ jumpMs });
  await collected(collector, queue.appendedPoints + 100);
}

/** Stops and looks what has arrived: everything, and nothing was refused. */
async function allArrived(
  t: ExecutionContext,
  installation: Installation,
  collector: LoadedEdge,
): Promise<ArrivedRun[]> {
  const { appendedPoints, refusedPoints } = (await collector.drain()).queue;
  t.is(refusedPoints, 0);
  const runs = await readArrivals(server, installation.collectorId);
  t.is(
    runs.reduce((sum, { times }) => sum + times.length, 0),
    appendedPoints,
  );
  return runs;
}

const skewOf = async (installation: Installation) => {
  const { clockSkew } = await installation.shown();
  return clockSkew && durationMs(clockSkew);
};

for (const [words, shift] of [
  ["an hour ahead", HOUR],
  ["an hour behind", -HOUR],
] as const) {
  test(`a clock that is ${words} costs nothing: points keep their own time, and the skew is shown`, async (t) => {
    await using installation = await install(server, owner);
    const begun = Date.now();
    const collector = installation.startLoaded({}, {}, shifted(shift));
    await collected(collector, 100);
    const runs = await allArrived(t, installation, collector);
    const times = runs.flatMap((run) => run.times);
    t.true(Math.min(...times) >= begun + shift && Math.max(...times) <= Date.now() + shift);
    t.true(isOldestFirst(runs));
    const skew = await eventually("the skew is shown", () => skewOf(installation));
    t.true(Math.abs(skew - shift) < 60_000, `${skew}`);
    const { attention } = await installation.shown();
    const { message } = attention.find(({ kind }) => kind === Attention.CLOCK_SKEW) ?? {};
    t.regex(message ?? "", /^Its clock is .* (ahead|behind)\.$/);
  });
}

for (const [words, shift] of [
  ["set back an hour", HOUR],
  ["set right from 1970", -Date.now() + HOUR],
] as const) {
  test(`a clock that is ${words} before the server is first reached costs nothing`, async (t) => {
    await using installation = await install(server, owner);
    await using proxy = await startProxy(server);
    await proxy.refuse();
    const collector = installation.startLoaded({}, { routes: direct(proxy.url) }, shifted(shift));
    await jump(collector, -shift);
    await proxy.pass();
    const runs = await allArrived(t, installation, collector);
    const offsets = new Set(runs.map(({ clockOffsetMs }) => Math.round(clockOffsetMs / HOUR)));
    t.deepEqual([...offsets], [Math.round(shift / HOUR), 0]);
  });
}

test("a clock that jumps while it runs, connected or not, costs nothing", async (t) => {
  await using installation = await install(server, owner);
  await using proxy = await startProxy(server);
  const collector = installation.startLoaded({}, { routes: direct(proxy.url) }, shifted(0));
  await installation.connected(collector);
  await jump(collector, HOUR);
  await jump(collector, -2 * HOUR);
  await proxy.refuse();
  await jump(collector, 3 * HOUR);
  await jump(collector, HOUR);
  await proxy.pass();
  await installation.connected(collector);
  const runs = await allArrived(t, installation, collector);
  const offsets = new Set(runs.map(({ clockOffsetMs }) => Math.round(clockOffsetMs / HOUR)));
  t.deepEqual([...offsets], [0, 1, -1, 2, 3]);
});
