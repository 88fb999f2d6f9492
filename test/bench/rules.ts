/** From a point's arrival to its alert, and what rules cost beside points that no rule wants. */
import { setTimeout as wait } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { RuleService } from "../../gen/lumetry/v1/rule_service_pb.js";
import { addSender, seriesOf } from "../support/points.ts";
import { aboveBound } from "../support/rules.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";
import type { BenchOptions } from "./main.ts";
import { round, type Section } from "./report.ts";

const SERIES = 10_000;
const METRICS = 1_000;
const HOSTS = SERIES / METRICS;
const EVERY_S = 10;
/** Series that begin to be wrong each second. */
const BREACHES = 10;

interface Measured {
  rules: number;
  alerts: number;
  /** From the answer to the upload to when the alert is found, in ms. */
  delays: number[];
  /** Of one core, what the server's process used. */
  cpu: number;
}

export async function benchRules({ quick }: BenchOptions): Promise<Section> {
  const seconds = quick ? 15 : 60;
  const found: Measured[] = [];
  for (const rules of quick ? [0, 10, 1_000] : [0, 10, 100, 1_000]) {
    await using server = await startTestServer({ callsPerSecond: 1_000_000 });
    found.push(await measure(server, await setUp(server), rules, seconds));
  }
  return {
    title: "Rules",
    about: [
      `${SERIES.toLocaleString("en")} series of ${METRICS.toLocaleString("en")} metrics, each with a point every ${EVERY_S} s, over RPC and TLS; each rule judges the ${HOSTS} series of one metric, over a window of a minute. Every second ${BREACHES} series begin to be wrong. The delay is from the answer to the upload until the alert is found firing by somebody who asks every 25 ms; judging waits for a second to be over, and one more for stragglers. ${seconds} s each; server and load share the machine.`,
    ],
    tables: [
      {
        head: ["rules", "alerts", "p50 s", "p99 s", "most s", "server and load, cores"],
        rows: found.map(({ rules, alerts, delays, cpu }) => [
          round(rules),
          round(alerts),
          ...[0.5, 0.99, 1].map((share) =>
            delays.length ? seconds1(quantile(delays, share)) : "–",
          ),
          cpu.toFixed(2),
        ]),
      },
    ],
    notes: [
      "Without rules the reader only moves its place; that row is what the load itself costs, the making of chunks included.",
    ],
  };
}

const seconds1 = (ms: number) => (ms / 1000).toFixed(2);
const quantile = (values: number[], share: number) =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? Number.NaN;

async function measure(
  server: TestServer,
  owner: Owner,
  rules: number,
  seconds: number,
): Promise<Measured> {
  const { metrics } = await addSender(server, owner.token);
  const client = server.client(RuleService, owner.token);
  const settings = Array.from({ length: rules }, (_, at) =>
    aboveBound(`bench.m${at}`, { window: durationFromMs(60_000), message: "{{ $labels.host }}" }),
  );
  if (rules > 0) await client.applyRules({ rules: settings });
  // Every series once, so that none is new when it counts.
  for (let second = 0; second < EVERY_S; second += 1) await send(metrics, second, new Set());

  const answered = new Map<string, number>();
  const delays: number[] = [];
  let isOver = false;
  const watching = watch(server, answered, delays, () => isOver);
  const wrong = new Set<string>();
  const before = process.cpuUsage();
  const begun = performance.now();
  for (let second = 0; second < seconds; second += 1) {
    // One tenth of the series sends in a second; some of those that a rule wants begin to be wrong.
    const fresh: string[] = [];
    for (let at = second % EVERY_S; at < SERIES && fresh.length < BREACHES; at += EVERY_S) {
      const name = nameOf(at);
      const isWanted = at % METRICS < rules;
      if (isWanted && !wrong.has(name)) fresh.push(name);
    }
    for (const name of fresh) wrong.add(name);
    await send(metrics, second, wrong);
    const now = performance.now();
    for (const name of fresh) answered.set(name, now);
    await wait(Math.max(0, begun + (second + 1) * 1_000 - performance.now()));
  }
  await wait(rules > 0 ? 8_000 : 0);
  isOver = true;
  await watching;
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 1_000 / (performance.now() - begun);
  if (delays.length < answered.size) {
    throw new Error(`${answered.size - delays.length} of ${answered.size} alerts did not come`);
  }
  return { rules, alerts: delays.length, delays, cpu };
}

const nameOf = (at: number) => `m${at % METRICS} h${Math.floor(at / METRICS)}`;

/** One tenth of all series, each with the value it has now. */
async function send(
  metrics: Client<typeof MetricsService>,
  second: number,
  wrong: ReadonlySet<string>,
): Promise<void> {
  const now = Date.now();
  const series = [];
  for (let at = second % EVERY_S; at < SERIES; at += EVERY_S) {
    const value = wrong.has(nameOf(at)) ? 100_000 : 10;
    const labels = { host: nameOf(at) };
    series.push(seriesOf(`bench.m${at % METRICS}`, labels, [now, value]));
  }
  await metrics.writeMetrics({ series });
}

/** Asks for alerts that are new, and notes how long each took. */
async function watch(
  server: TestServer,
  answered: ReadonlyMap<string, number>,
  delays: number[],
  isOver: () => boolean,
): Promise<void> {
  const seen = new Set<string>();
  let after = new Date(0);
  while (!isOver()) {
    const rows = await server.sql<{ host: string; created_at: Date }>(
      "select labels ->> 'host' as host, created_at from alerts where created_at > $1 and state = 'firing'",
      [new Date(+after - 2_000)],
    );
    const now = performance.now();
    for (const { host, created_at } of rows) {
      if (created_at > after) after = created_at;
      const sent = answered.get(host);
      if (sent === undefined || seen.has(host)) continue;
      seen.add(host);
      delays.push(now - sent);
    }
    await wait(25);
  }
}
