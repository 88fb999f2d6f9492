import type pg from "pg";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { LAGS } from "./readers/lag.ts";

/** What a server counts about itself, for operators. */
export interface Metrics {
  /** A call ended, with a Connect code or "ok"; refused ones included. */
  called(method: string, code: string, seconds: number): void;
  /** Points came in: kept, and refused for good. */
  ingested(accepted: number, refused: number): void;
  /** One commit to the log of points is durable. */
  committed(bytes: number, batches: number): void;
  /** A reader of the log has read something. */
  read(reader: string, segments: number, bytes: number): void;
  /** What was in the log and could not be kept: damaged segments, and points of days not kept any more. */
  lost(lost: { segments: number; expiredPoints: number }): void;
  /** Work was handed out: how late, and after how many slots that nobody took. */
  workClaimed(kind: string, latenessSeconds: number, skippedSlots: number): void;
  /** A report came in, on a claim or after an outage, and was accepted or refused. */
  workReported(way: "claim" | "outage", outcome: string): void;
  /** Work came back because its lease ran out, or ended because nobody did it in time. */
  workLapsed(kind: string, state: string): void;
  /** The server itself has tried to deliver a message. */
  deliveryAttempted(isDelivered: boolean): void;
  /** Tells where to ask for the connections of clients; asked at each scrape. */
  watchConnections(ask: () => { open: number; refused: number }): void;
  /** Everything in the text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
}

const OPEN_ALERTS = `
  select origin, case when state = 'firing' and suppressed_by is not null then 'suppressed' else state end
    as state, count(*) from alerts where state <> 'resolved' group by 1, 2`;

const LAG = `select reader, max(seconds) as seconds from (${LAGS}) as lags group by reader`;

/** A registry of its own for each server, so that several can run in one process. */
export function makeMetrics(pool: pg.Pool): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  collectDefaultMetrics({ register: registry });

  const calls = new Counter({
    name: "lumetry_calls_total",
    help: "Calls by method and by code.",
    labelNames: ["method", "code"],
    registers,
  });
  const durations = new Histogram({
    name: "lumetry_call_duration_seconds",
    help: "How long calls took, from the whole request to the answer.",
    labelNames: ["method"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const accepted = new Counter({
    name: "lumetry_points_accepted_total",
    help: "Points kept; a batch that is sent again counts once.",
    registers,
  });
  const refused = new Counter({
    name: "lumetry_points_refused_total",
    help: "Points refused for good.",
    registers,
  });
  const commitBytes = new Histogram({
    name: "lumetry_commit_bytes",
    help: "Size of the commits to the log of points.",
    buckets: [1e3, 1e4, 1e5, 1e6, 4e6, 1.6e7],
    registers,
  });
  const commitBatches = new Counter({
    name: "lumetry_committed_batches_total",
    help: "Batches that were committed to the log of points.",
    registers,
  });

  const readBytes = new Counter({
    name: "lumetry_log_read_bytes_total",
    help: "Bytes of the log that its readers have read on this server.",
    labelNames: ["reader"],
    registers,
  });
  const readSegments = new Counter({
    name: "lumetry_log_read_segments_total",
    help: "Segments of the log that its readers have read on this server.",
    labelNames: ["reader"],
    registers,
  });
  const lostSegments = new Counter({
    name: "lumetry_log_damaged_segments_total",
    help: "Segments of the log that were damaged; their points are lost.",
    registers,
  });
  const expired = new Counter({
    name: "lumetry_points_expired_total",
    help: "Points that were older than points are kept when they were read from the log.",
    registers,
  });
  new Gauge({
    name: "lumetry_log_lag_seconds",
    help: "How long the oldest part of the log has waited for a reader, on all servers together.",
    labelNames: ["reader"],
    registers,
    async collect() {
      const { rows } = await pool.query<{ reader: string; seconds: number }>(LAG).catch(() => ({
        rows: [],
      }));
      for (const { reader, seconds } of rows) this.set({ reader }, seconds);
    },
  });
  new Gauge({
    name: "lumetry_alerts_open",
    help: "Alerts that are not resolved, by where they come from and by state; of those that fire, suppressed ones apart.",
    labelNames: ["origin", "state"],
    registers,
    async collect() {
      const { rows } = await pool
        .query<{ origin: string; state: string; count: bigint }>(OPEN_ALERTS)
        .catch(() => ({ rows: [] }));
      this.reset();
      for (const { origin, state, count } of rows) this.set({ origin, state }, Number(count));
    },
  });

  const claimed = new Counter({
    name: "lumetry_work_claimed_total",
    help: "Items of work that were handed out, by kind.",
    labelNames: ["kind"],
    registers,
  });
  const lateness = new Histogram({
    name: "lumetry_work_lateness_seconds",
    help: "How long after it was due an item of work was handed out.",
    labelNames: ["kind"],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const skipped = new Counter({
    name: "lumetry_polls_skipped_total",
    help: "Slots of sources that passed before anybody could poll them.",
    registers,
  });
  const reported = new Counter({
    name: "lumetry_work_reports_total",
    help: "Reports of work by way and by outcome; stale ones left no trace.",
    labelNames: ["way", "outcome"],
    registers,
  });
  const lapsed = new Counter({
    name: "lumetry_work_lapsed_total",
    help: "Items whose lease ran out, or that nobody took in time, by kind and by what became of them.",
    labelNames: ["kind", "state"],
    registers,
  });
  const attempts = new Counter({
    name: "lumetry_delivery_attempts_total",
    help: "Attempts of the server's own to deliver messages.",
    labelNames: ["outcome"],
    registers,
  });

  let connections = () => ({ open: 0, refused: 0 });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge("lumetry_connections", "Open connections of clients.", () => connections().open);
  new Counter({
    name: "lumetry_connections_refused_total",
    help: "Connections of clients that were refused, for there were too many.",
    registers,
    collect() {
      this.reset();
      this.inc(connections().refused);
    },
  });
  gauge(
    "lumetry_database_connections_in_use",
    "Connections to the database that work at present.",
    () => pool.totalCount - pool.idleCount,
  );
  gauge(
    "lumetry_database_connections_most",
    "How many connections to the database there may be.",
    () => pool.options.max,
  );
  gauge(
    "lumetry_database_connections_waiting",
    "Calls and jobs that wait for a connection to the database.",
    () => pool.waitingCount,
  );

  /** The registry checks and joins labels each time that they are given; calls come all the time. */
  const ofCalls = new Map<
    string,
    { count: Counter.Internal; duration: Histogram.Internal<"method"> }
  >();

  return {
    called(method, code, seconds) {
      const key = `${method} ${code}`;
      let of = ofCalls.get(key);
      if (!of) {
        of = { count: calls.labels({ method, code }), duration: durations.labels({ method }) };
        ofCalls.set(key, of);
      }
      of.count.inc();
      of.duration.observe(seconds);
    },
    ingested(kept, thrownAway) {
      accepted.inc(kept);
      refused.inc(thrownAway);
    },
    committed(bytes, batches) {
      commitBytes.observe(bytes);
      commitBatches.inc(batches);
    },
    read(reader, segments, bytes) {
      readSegments.inc({ reader }, segments);
      readBytes.inc({ reader }, bytes);
    },
    lost({ segments, expiredPoints }) {
      lostSegments.inc(segments);
      expired.inc(expiredPoints);
    },
    workClaimed(kind, late, slots) {
      claimed.inc({ kind });
      lateness.observe({ kind }, late);
      skipped.inc(slots);
    },
    workReported: (way, outcome) => reported.inc({ way, outcome }),
    workLapsed: (kind, state) => lapsed.inc({ kind, state }),
    deliveryAttempted: (isDelivered) =>
      attempts.inc({ outcome: isDelivered ? "delivered" : "failed" }),
    watchConnections(ask) {
      connections = ask;
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
