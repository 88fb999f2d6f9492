/** From a point's arrival to its alert and to the webhook that tells of it, and what rules cost beside points that no rule wants. */
import { setTimeout as wait } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { ChannelService } from "../../gen/lumetry/v1/channel_service_pb.js";
import {
  NotificationRouteSettings_Grouping as Grouping,
  NotificationRouteService,
} from "../../gen/lumetry/v1/notification_route_service_pb.js";
import { RuleService } from "../../gen/lumetry/v1/rule_service_pb.js";
import { eventually } from "../support/eventually.ts";
import { addSender, seriesOf } from "../support/points.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
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
/** What is not told by then is not told: it is no figure, but a fault. */
const LONGEST_MS = 120_000;

interface Measured {
  rules: number;
  alerts: number;
  /** From the answer to the upload to when the alert is found, in ms. */
  untilAlert: number[];
  /** From the same moment to when the webhook that tells of it is received. */
  untilWebhook: number[];
  /** Of one core, what the server's process used. */
  cpu: number;
}

export async function benchRules({ quick }: BenchOptions): Promise<Section> {
  const seconds = quick ? 15 : 60;
  const found: Measured[] = [];
  for (const rules of quick ? [0, 10, 1_000] : [0, 10, 100, 1_000]) {
    await using server = await startTestServer({
      callsPerSecond: 1_000_000,
      egressAllow: ["127.0.0.0/8"],
    });
    await using receiver = await startReceiver();
    found.push(await measure({ server, receiver, owner: await setUp(server) }, rules, seconds));
  }
  return {
    title: "Rules",
    about: [
      `${SERIES.toLocaleString("en")} series of ${METRICS.toLocaleString("en")} metrics, each with a point every ${EVERY_S} s, over RPC and TLS; each rule judges the ${HOSTS} series of one metric, over a window of a minute. Every second ${BREACHES} series begin to be wrong. Delays are counted from the answer to the upload: until the alert is found firing by somebody who asks every 25 ms, and until the webhook that tells of it has been received, over HTTP on this machine, sent by the server itself. Each alert is a group of its own, by a route without a group wait, so nothing waits for others; the wait is zero and nothing is subtracted. Judging waits for a second to be over, and one more for stragglers. ${seconds} s each; server, database, receiver and load share the machine.`,
      "The goal: from point to webhook, 99 of 100 in less than 5 s with 1,000 rules.",
    ],
    tables: [
      {
        head: [
          "rules",
          "alerts",
          "to alert: p50 s",
          "p99 s",
          "most s",
          "to webhook: p50 s",
          "p99 s",
          "most s",
          "server and load, cores",
        ],
        rows: found.map(({ rules, alerts, untilAlert, untilWebhook, cpu }) => [
          round(rules),
          round(alerts),
          ...curve(untilAlert),
          ...curve(untilWebhook),
          cpu.toFixed(2),
        ]),
      },
    ],
    notes: [
      "Without rules the reader only moves its place; that row is what the load itself costs, the making of chunks included.",
      verdictOn(found.at(-1)),
    ],
  };
}

/** What the goal says of the most rules that were measured. */
function verdictOn(last: Measured | undefined): string {
  const p99 = quantile(last?.untilWebhook ?? [], 0.99);
  return `With ${round(last?.rules ?? 0)} rules the webhook's p99 is ${seconds1(p99)} s: the goal of 5 s is ${p99 < 5_000 ? "met" : "missed"}.`;
}

const curve = (delays: number[]) =>
  [0.5, 0.99, 1].map((share) => (delays.length ? seconds1(quantile(delays, share)) : "–"));

const seconds1 = (ms: number) => (ms / 1000).toFixed(2);
const quantile = (values: number[], share: number) =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? Number.NaN;

interface Scene {
  server: TestServer;
  owner: Owner;
  receiver: Receiver;
}

async function measure(
  { server, owner, receiver }: Scene,
  rules: number,
  seconds: number,
): Promise<Measured> {
  const { metrics } = await addSender(server, owner.token);
  await tellEachAlert(server, owner, receiver);
  const client = server.client(RuleService, owner.token);
  const settings = Array.from({ length: rules }, (_, at) =>
    aboveBound(`bench.m${at}`, { window: durationFromMs(60_000), message: "{{ $labels.host }}" }),
  );
  if (rules > 0) await client.applyRules({ rules: settings });
  // Every series once, so that none is new when it counts.
  for (let second = 0; second < EVERY_S; second += 1) await send(metrics, second, new Set());

  const answered = new Map<string, number>();
  const untilAlert: number[] = [];
  let isOver = false;
  const watching = watch(server, answered, untilAlert, () => isOver);
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
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 1_000 / (performance.now() - begun);
  await eventually(
    "every alert is found and told",
    () => {
      const told = receivedAt(receiver);
      return untilAlert.length >= answered.size && [...answered.keys()].every((at) => told.has(at));
    },
    LONGEST_MS,
  );
  isOver = true;
  await watching;
  const received = receivedAt(receiver);
  const untilWebhook = Array.from(
    answered,
    ([host, sent]) => (received.get(host) ?? Number.NaN) - sent,
  );
  return { rules, alerts: answered.size, untilAlert, untilWebhook, cpu };
}

/** A channel that hears of every alert by itself, at once. */
async function tellEachAlert(server: TestServer, { token }: Owner, { url }: Receiver) {
  const { channel } = await server
    .client(ChannelService, token)
    .createChannel({ displayName: "bench", url });
  await server.client(NotificationRouteService, token).createNotificationRoute({
    settings: {
      displayName: "each alert",
      channelIds: [channel?.channelId ?? ""],
      grouping: Grouping.ALERT,
      groupWait: durationFromMs(0),
      groupInterval: durationFromMs(0),
    },
  });
}

/** When each alert was first told, by the name of its series. */
function receivedAt({ received }: Receiver): Map<string, number> {
  const found = new Map<string, number>();
  for (const { body, atMs } of received) {
    const { data } = JSON.parse(body) as { data: { alerts: { labels: { host: string } }[] } };
    for (const { labels } of data.alerts) {
      if (!found.has(labels.host)) found.set(labels.host, atMs);
    }
  }
  return found;
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
