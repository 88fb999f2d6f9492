/**
 * `npm run faults zone`: a zone with two collectors, real processes, is cut off, and then one of them alone.
 * In the end the charts of its sources are complete: each slot has one result.
 */
import { parseArgs } from "node:util";
import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Capability } from "../../gen/lumetry/access/v1/access_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import {
  MetricQueryService,
  LabelMatcher_Operation as Operation,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { type Source, SourceService } from "../../gen/lumetry/v1/source_service_pb.js";
import { migratedDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { type Installation, install } from "../support/installation.ts";
import { type NetworkProxy, startProxy } from "../support/proxy.ts";
import { type AnyServer, type Owner, setUp } from "../support/server.ts";
import { startServerProcess } from "../support/server-process.ts";
import { startHttpTarget } from "../support/target.ts";
import { addSource } from "../support/worker.ts";

export interface ZoneFaults {
  sources: number;
  /** How often each is polled. */
  intervalMs: number;
  /** How many intervals the zone is cut off, and then one of its collectors. */
  polls: number;
  /** Leases of those that are cut off end at once, as if they had been silent for as long as they last. */
  hurried: boolean;
}

/** With the shortest interval that there is. */
export const SHORT: ZoneFaults = { sources: 6, intervalMs: 5_000, polls: 2, hurried: true };

export interface ZoneOutcome {
  /** Slots with a result, of all sources; and how many of them were filled afterwards. */
  slots: number;
  filled: number;
  /** What is wrong, in words; nothing when all is well. */
  wrongs: string[];
}

interface Member {
  installation: Installation;
  proxy: NetworkProxy;
}

export async function faultZone(plan: ZoneFaults): Promise<ZoneOutcome> {
  const hits = new Map<string, number>();
  await using target = await startHttpTarget((request, response) => {
    const hit = (hits.get(request.url ?? "") ?? 0) + 1;
    hits.set(request.url ?? "", hit);
    response.end(`# TYPE hits_total counter\nhits_total ${hit}\n`);
  });
  await using database = await migratedDatabase();
  await using server = await startServerProcess(database.url);
  const owner = await setUp(server);
  await using members = new AsyncDisposableStack();
  const join = async (): Promise<Member> => {
    const installation = members.use(await install(server, owner));
    const proxy = members.use(await startProxy(server));
    const { collectorId } = installation;
    await server.client(CollectorService, owner.token).updateCollector({
      collectorId,
      grantedCapabilities: { capabilities: [Capability.POLL_SOURCE] },
    });
    installation.start({ server: proxy.url, flags: ["--work-loopback", "true"] });
    return { installation, proxy };
  };
  const [one, other] = await Promise.all([join(), join()]);
  const sourceIds: string[] = [];
  for (let at = 0; at < plan.sources; at += 1) {
    const http = { url: `${target.url}/${at}` };
    const { sourceId } = await addSource(server, owner, {
      settings: { kind: { case: "prometheusScrape", value: { http } } },
      interval: durationFromMs(plan.intervalMs),
    });
    sourceIds.push(sourceId);
  }

  const people = server.client(SourceService, owner.token);
  const show = () =>
    Promise.all(
      sourceIds.map(async (sourceId) => (await people.getSource({ sourceId })).source as Source),
    );
  const shared = () =>
    eventually("both poll their share, and what they know is told", async () => {
      const all = await show();
      const own = all.filter(
        ({ assignedCollectorId }) => assignedCollectorId === one.installation.collectorId,
      );
      return (
        own.length === plan.sources / 2 &&
        all.every((source) => isUpToDate(source, plan.intervalMs))
      );
    });
  const allAreWith = ({ installation: { collectorId } }: Member) =>
    eventually("one collector has them all", async () =>
      (await show()).every(({ assignedCollectorId }) => assignedCollectorId === collectorId),
    );
  /** Every source is polled so many times more, by whomever. */
  const polled = (times: number) => {
    const wanted = sourceIds.map((_, at) => (hits.get(`/${at}`) ?? 0) + times);
    return eventually(
      `all sources are polled ${times} times more`,
      () => wanted.every((want, at) => (hits.get(`/${at}`) ?? 0) >= want),
      60_000 + times * plan.intervalMs * 2,
    );
  };
  await shared();
  await polled(1);

  // One of them finds that nobody listens; for the other the line is silent.
  await Promise.all([one.proxy.refuse(), other.proxy.hang()]);
  if (plan.hurried) {
    // The sources of the first to be missed are given to the other, which is as cut off.
    await loseLease(server, one.installation.collectorId);
    await allAreWith(other);
    await loseLease(server, other.installation.collectorId);
  }
  await polled(plan.polls);
  await Promise.all([one.proxy.pass(), other.proxy.pass()]);
  other.proxy.cut();
  await shared();
  await polled(1);

  await other.proxy.hang();
  await polled(Math.ceil(plan.polls / 2));
  if (plan.hurried) await loseLease(server, other.installation.collectorId);
  await allAreWith(one);
  await polled(Math.floor(plan.polls / 2));
  await other.proxy.pass();
  other.proxy.cut();
  await shared();
  await polled(1);
  await shared();
  return await eventually(
    "what is known is told",
    async () => {
      const outcome = await judge(server, owner, await show(), plan.intervalMs);
      return outcome.wrongs.length === 0 && outcome;
    },
    20_000,
  ).catch(async () => judge(server, owner, await show(), plan.intervalMs));
}

/** Its last slot is not long ago. */
const isUpToDate = ({ poll: polls }: Source, intervalMs: number): boolean =>
  polls?.lastScheduledTime !== undefined &&
  timestampMs(polls.lastScheduledTime) > Date.now() - 2 * intervalMs;

async function loseLease(server: AnyServer, collectorId: string): Promise<void> {
  await server.sql("update workers set lease_until = wall_clock() where collector_id = $1", [
    collectorId,
  ]);
}

async function judge(
  server: AnyServer,
  owner: Owner,
  sources: readonly Source[],
  intervalMs: number,
): Promise<ZoneOutcome> {
  const wrongs: string[] = [];
  let [slots, filled] = [0, 0];
  for (const { sourceId, displayName, poll: polls } of sources) {
    const until = polls?.lastScheduledTime ? timestampMs(polls.lastScheduledTime) : 0;
    for (const metric of ["up", "poll.duration", "hits_total"]) {
      const { series } = await server.client(MetricQueryService, owner.token).queryRange({
        metric,
        matchers: [{ label: "lumetry.source_id", operation: Operation.EQUAL, value: sourceId }],
        startTime: timestampFromMs(until - 86_400_000),
        endTime: timestampFromMs(until + 1),
      });
      const times = series.flatMap(({ points }) =>
        points.map(({ time }) => (time ? timestampMs(time) : Number.NaN)),
      );
      const say = (what: string) => wrongs.push(`${displayName}, ${metric}: ${what}`);
      if (series.length !== 1) say(`${series.length} series`);
      for (const [at, time] of times.entries()) {
        const before = times[at - 1];
        if (before === undefined || time === before + intervalMs) continue;
        const beforeEnd = (until - before) / intervalMs;
        say(`${time - before} ms between two slots, ${beforeEnd} slots before the last`);
      }
      if (metric !== "up") continue;
      slots += times.length;
      // As many results as slots: none had two.
      if (polls?.completedPolls !== BigInt(times.length)) {
        say(`${polls?.completedPolls} polls were counted for ${times.length} slots`);
      }
    }
    filled += Number(polls?.filledPolls ?? 0n);
  }
  return { slots, filled, wrongs };
}

export async function run(argv: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: argv,
    options: {
      minutes: { type: "string", default: "60" },
      sources: { type: "string", default: "40" },
      "interval-seconds": { type: "string", default: "5" },
    },
  });
  const intervalMs = Number(values["interval-seconds"]) * 1_000;
  const outcome = await faultZone({
    sources: 2 * Math.ceil(Number(values.sources) / 2),
    intervalMs,
    polls: Math.ceil((Number(values.minutes) * 60_000) / intervalMs),
    hurried: false,
  });
  const { slots, filled, wrongs } = outcome;
  console.log(`${slots} slots have a result, ${filled} of them were filled afterwards`);
  for (const wrong of wrongs) console.log(`WRONG: ${wrong}`);
  return wrongs.length === 0;
}
