import { setImmediate } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import { NotConnected } from "../../edge/not-connected.ts";
import { type Route, Routes } from "../../edge/routes.ts";
import { judge } from "../../edge/verdict.ts";
import { ProblemSchema, Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import { silentLog } from "../../lib/log.ts";
import { startLoop } from "../../lib/loop.ts";
import { type ManualClock, makeManualClock } from "../support/manual-clock.ts";
import { randomFrom } from "./queue/fixtures.ts";

const FIRST: Route = { kind: "collector", url: "https://first:4319" };
const SECOND: Route = { kind: "collector", url: "https://second:4319" };
const DIRECT: Route = { kind: "direct", url: "https://server" };

const refused = () =>
  Object.assign(new ConnectError("refused", Code.Unavailable), {
    cause: new NotConnected("refused", "ECONNREFUSED"),
  });
const reset = () => new ConnectError("reset", Code.Aborted);
const told = (reason: Reason, code = Code.Unavailable) =>
  new ConnectError("no", code, undefined, [
    { desc: ProblemSchema, value: create(ProblemSchema, { reason }) },
  ]);

const makeRoutes = (routes: Route[], random = () => 0.5, clock = makeManualClock()) => ({
  clock,
  routes: new Routes(routes, { clock, log: silentLog, random }),
});

/** Lets time pass in steps, each with what becomes of it. */
async function pass(clock: ManualClock, ms: number, stepMs = 1_000): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    for (let turn = 0; turn < 4; turn += 1) await setImmediate();
  }
}

test("routes are taken in order, and the next one when there is no way by the present one", (t) => {
  const { routes } = makeRoutes([FIRST, SECOND, DIRECT]);
  t.is(routes.present, FIRST);
  routes.failed(FIRST, judge(refused()));
  t.is(routes.present, SECOND);
  routes.failed(SECOND, judge(told(Reason.UPSTREAM_UNREACHABLE)));
  t.is(routes.present, DIRECT);
  t.like(routes.states, [
    { url: FIRST.url, inUse: false, problem: "refused" },
    { url: SECOND.url, inUse: false, problem: "no" },
    { url: DIRECT.url, inUse: true, problem: undefined },
  ]);
});

test("when none is complete each is tried in turn, the one that failed longest ago first", (t) => {
  const { routes, clock } = makeRoutes([FIRST, SECOND, DIRECT]);
  const tried: Route[] = [];
  for (let attempt = 0; attempt < 6; attempt += 1) {
    tried.push(routes.present);
    clock.advance(1_000);
    routes.failed(routes.present, judge(refused()));
  }
  t.deepEqual(tried, [FIRST, SECOND, DIRECT, FIRST, SECOND, DIRECT]);
});

test("what the server itself answers is no reason to leave, whatever it is", (t) => {
  const { routes } = makeRoutes([FIRST, DIRECT]);
  for (let time = 0; time < 5; time += 1) {
    routes.failed(FIRST, judge(told(Reason.OVERLOADED, Code.ResourceExhausted)));
    routes.failed(FIRST, judge(told(Reason.OVERLOADED)));
    routes.failed(FIRST, judge(told(Reason.CREDENTIAL_EXPIRED, Code.Unauthenticated)));
    routes.failed(FIRST, judge(new ConnectError("bad", Code.InvalidArgument)));
  }
  t.is(routes.present, FIRST);
});

test("one broken connection is no reason to leave, the second in a row is", (t) => {
  const { routes } = makeRoutes([FIRST, DIRECT]);
  routes.failed(FIRST, judge(reset()));
  routes.worked(FIRST);
  routes.failed(FIRST, judge(reset()));
  t.is(routes.present, FIRST);
  routes.failed(FIRST, judge(reset()));
  t.is(routes.present, DIRECT);
});

test("a call that was under way when the route changed says nothing about the present one", (t) => {
  const { routes } = makeRoutes([FIRST, DIRECT]);
  routes.failed(FIRST, judge(refused()));
  routes.failed(FIRST, judge(refused()));
  t.is(routes.present, DIRECT);
});

test("the only route is never left", (t) => {
  const { routes } = makeRoutes([DIRECT]);
  routes.failed(DIRECT, judge(refused()));
  t.is(routes.present, DIRECT);
  t.is(routes.states[0]?.problem, "refused");
});

test("a preferred route is taken again once it has been good for a while, not at its first word", async (t) => {
  const { routes, clock } = makeRoutes([FIRST, DIRECT]);
  const ending = new AbortController();
  let isUp = false;
  let probes = 0;
  let better = 0;
  routes.onBetter(() => {
    better += 1;
  });
  const watching = routes.watch(async (route) => {
    t.is(route, FIRST);
    probes += 1;
    if (!isUp) throw refused();
  }, ending.signal);
  await pass(clock, 300_000);
  t.is(probes, 0, "nobody probes while the preferred route is in use");
  routes.failed(FIRST, judge(refused()));
  await pass(clock, 60_000);
  t.is(routes.present, DIRECT);
  t.true(probes >= 3);
  isUp = true;
  await pass(clock, 40_000);
  isUp = false;
  await pass(clock, 20_000);
  isUp = true;
  await pass(clock, 45_000);
  t.is(routes.present, DIRECT, "it was down in between");
  await pass(clock, 45_000);
  t.is(routes.present, FIRST);
  t.is(better, 1);
  ending.abort();
  await watching;
});

test("a preferred route is taken at once while the present one has no way either", async (t) => {
  const { routes, clock } = makeRoutes([FIRST, DIRECT]);
  const ending = new AbortController();
  let isUp = false;
  const watching = routes.watch(async () => {
    if (!isUp) throw told(Reason.UPSTREAM_UNREACHABLE);
  }, ending.signal);
  routes.failed(FIRST, judge(refused()));
  await pass(clock, 1_000);
  routes.failed(DIRECT, judge(refused()));
  routes.failed(FIRST, judge(refused()));
  t.is(routes.present, DIRECT);
  routes.failed(DIRECT, judge(reset()));
  isUp = true;
  await pass(clock, 21_000);
  t.is(routes.present, FIRST);
  ending.abort();
  await watching;
});

/** Agents behind one collector, on a clock of their own, each with a heartbeat every 30 s. */
function makeFleet(size: number, seed: number) {
  const clock = makeManualClock(0);
  const ending = new AbortController();
  const network = { collector: true, server: true };
  const moves: { at: number; to: Route["kind"] }[] = [];
  const call = async (route: Route) => {
    if (route.kind === "direct" ? !network.server : !network.collector) throw refused();
    if (route.kind === "collector" && !network.server) throw told(Reason.UPSTREAM_UNREACHABLE);
  };
  const agents = Array.from({ length: size }, (_, index) => {
    const random = randomFrom(seed + index);
    const { routes } = makeRoutes([FIRST, DIRECT], random, clock);
    let last = routes.present;
    let missed = 0;
    const look = () => {
      if (routes.present === last) return;
      last = routes.present;
      moves.push({ at: clock.now(), to: last.kind });
    };
    const { signal } = ending;
    const beat = async () => {
      const { present } = routes;
      try {
        await call(present);
        missed = 0;
        routes.worked(present);
      } catch (error) {
        missed += 1;
        routes.failed(present, judge(error));
      }
      look();
    };
    const heartbeat = startLoop(beat, {
      every: () => (missed === 0 ? 30_000 : Math.min(30_000, 1_000 * 2 ** (missed - 1))),
      jitter: 0.2,
      clock,
      random,
      signal,
      onError: () => {},
    });
    routes.onBetter(() => {
      look();
      if (missed > 0) heartbeat.wake();
    });
    return { routes, done: [heartbeat.done, routes.watch(call, signal)] };
  });
  return {
    clock,
    network,
    moves,
    onRoute: (kind: Route["kind"]) =>
      agents.filter(({ routes }) => routes.present.kind === kind).length,
    async stop() {
      ending.abort();
      await Promise.all(agents.flatMap(({ done }) => done));
    },
  };
}

/** The most moves that fell into any one span of so many milliseconds. */
function mostWithin(times: number[], spanMs: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return Math.max(
    0,
    ...sorted.map((from) => sorted.filter((at) => at >= from && at < from + spanMs).length),
  );
}

test("of a fleet, nobody stays behind when its collector dies, and its return is no stampede", async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.log(`seed ${seed}`);
  const fleet = makeFleet(200, seed);
  await pass(fleet.clock, 120_000);
  t.is(fleet.onRoute("collector"), 200);
  t.is(fleet.moves.length, 0);

  fleet.network.collector = false;
  await pass(fleet.clock, 40_000);
  t.is(fleet.onRoute("direct"), 200);
  const left = fleet.moves.map(({ at }) => at);
  t.true(mostWithin(left, 2_000) < 60, `${mostWithin(left, 2_000)} left at once`);

  fleet.moves.length = 0;
  fleet.network.collector = true;
  const since = fleet.clock.now();
  await pass(fleet.clock, 120_000);
  t.is(fleet.onRoute("collector"), 200);
  const returned = fleet.moves.map(({ at }) => at - since);
  t.true(Math.min(...returned) >= 30_000);
  t.true(mostWithin(returned, 2_000) < 60, `${mostWithin(returned, 2_000)} returned at once`);
  await fleet.stop();
});

test("a collector that comes and goes is returned to ever more seldom, and again as usual once it is steady", async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.log(`seed ${seed}`);
  const fleet = makeFleet(20, seed);
  const flap = async (minutes: number) => {
    fleet.moves.length = 0;
    for (let minute = 0; minute < minutes; minute += 3) {
      fleet.network.collector = false;
      await pass(fleet.clock, 60_000);
      fleet.network.collector = true;
      await pass(fleet.clock, 120_000);
    }
    return fleet.moves.filter(({ to }) => to === "collector").length / 20;
  };
  const early = await flap(9);
  const late = await flap(30);
  t.true(early >= 1.5, `${early} returns each in 9 minutes`);
  t.true(late <= 3, `${late} returns each in the 30 minutes after that`);
  fleet.network.collector = true;
  await pass(fleet.clock, 1_200_000, 5_000);
  t.is(fleet.onRoute("collector"), 20);
  await fleet.stop();
});

test("when collector and server are gone, agents try both, and are back soon after either", async (t) => {
  const fleet = makeFleet(50, 7);
  await pass(fleet.clock, 60_000);
  fleet.network.collector = false;
  fleet.network.server = false;
  await pass(fleet.clock, 600_000);
  fleet.network.server = true;
  await pass(fleet.clock, 75_000);
  t.is(fleet.onRoute("direct"), 50);
  fleet.network.server = false;
  await pass(fleet.clock, 300_000);
  fleet.network.collector = true;
  fleet.network.server = true;
  await pass(fleet.clock, 150_000);
  t.is(fleet.onRoute("collector"), 50);
  await fleet.stop();
});
