import type { Metadata, Sample } from "../sampler.ts";
import { type CimRow, countIn, nameIn } from "./rows.ts";

export const iisMetadata: readonly Metadata[] = [
  {
    metric: "iis.site.state",
    kind: "gauge",
    unit: "1",
    description: "State of a site: 1 for the one it is in, by site and state.",
  },
  {
    metric: "iis.connection.active",
    kind: "gauge",
    unit: "{connection}",
    description: "Open connections, by site.",
  },
  {
    metric: "iis.connection.attempt.count",
    kind: "counter",
    unit: "{attempt}",
    description: "Connections that were made or tried, by site.",
  },
  {
    metric: "iis.request.count",
    kind: "counter",
    unit: "{request}",
    description: "Requests, by site and HTTP method; other methods together.",
  },
  {
    metric: "iis.request.not_found",
    kind: "counter",
    unit: "{request}",
    description: "Requests answered with 404, by site.",
  },
  {
    metric: "iis.network.io",
    kind: "counter",
    unit: "By",
    description: "Bytes by site and direction.",
  },
  {
    metric: "iis.application_pool.state",
    kind: "gauge",
    unit: "1",
    description: "State of an application pool: 1 for the one it is in, by pool and state.",
  },
  {
    metric: "iis.application_pool.worker_processes",
    kind: "gauge",
    unit: "{process}",
    description: "Worker processes that run, by application pool.",
  },
  {
    metric: "iis.application_pool.recycles",
    kind: "counter",
    unit: "{recycle}",
    description: "How often the application pool was recycled.",
  },
  {
    metric: "iis.application_pool.worker_failures",
    kind: "counter",
    unit: "{failure}",
    description: "Worker processes that failed, by application pool.",
  },
];

/** What GetState of a site and of an application pool returns, by number. */
const STATES = ["starting", "started", "stopping", "stopped", "unknown"] as const;

const SITE_COLUMNS = [
  ["iis.connection.active", {}, "CurrentConnections"],
  ["iis.connection.attempt.count", {}, "TotalConnectionAttemptsallinstances"],
  ["iis.request.count", { method: "GET" }, "TotalGetRequests"],
  ["iis.request.count", { method: "POST" }, "TotalPostRequests"],
  ["iis.request.count", { method: "PUT" }, "TotalPutRequests"],
  ["iis.request.count", { method: "DELETE" }, "TotalDeleteRequests"],
  ["iis.request.count", { method: "HEAD" }, "TotalHeadRequests"],
  ["iis.request.not_found", {}, "TotalNotFoundErrors"],
  ["iis.network.io", { direction: "receive" }, "TotalBytesReceived"],
  ["iis.network.io", { direction: "transmit" }, "TotalBytesSent"],
] as const;

const POOL_COLUMNS = [
  ["iis.application_pool.worker_processes", {}, "CurrentWorkerProcesses"],
  ["iis.application_pool.recycles", {}, "TotalApplicationPoolRecycles"],
  ["iis.application_pool.worker_failures", {}, "TotalWorkerProcessFailures"],
] as const;

type Columns = readonly (readonly [
  metric: string,
  labels: Record<string, string>,
  column: string,
])[];

/** Of each named row, the columns that can be read. */
function columnSamples(rows: CimRow[], label: string, columns: Columns): Sample[] {
  return rows.flatMap((row) => {
    const name = nameIn(row);
    if (name === undefined) return [];
    return columns.flatMap(([metric, labels, column]): Sample[] => {
      const value = countIn(row, column);
      return value === undefined ? [] : [{ metric, labels: { [label]: name, ...labels }, value }];
    });
  });
}

/** A series for each state, of which one is 1: so that each can be counted and alerted on. */
function stateSamples(rows: CimRow[], label: string, metric: string): Sample[] {
  return rows.flatMap((row) => {
    const name = nameIn(row);
    const present = STATES[countIn(row, "State") ?? -1];
    if (name === undefined || present === undefined) return [];
    return STATES.map((state) => ({
      metric,
      labels: { [label]: name, state },
      value: state === present ? 1 : 0,
    }));
  });
}

/** Requests of the methods that have no column of their own here. */
function otherRequests(rows: CimRow[]): Sample[] {
  return rows.flatMap((row): Sample[] => {
    const site = nameIn(row);
    const all = countIn(row, "TotalMethodRequests");
    if (site === undefined || all === undefined) return [];
    const named = SITE_COLUMNS.filter(([metric]) => metric === "iis.request.count").map(
      ([, , column]) => countIn(row, column) ?? 0,
    );
    const value = all - named.reduce((sum, count) => sum + count, 0);
    const labels = { site, method: "other" };
    return value < 0 ? [] : [{ metric: "iis.request.count", labels, value }];
  });
}

export const siteSamples = (rows: CimRow[]): Sample[] => [
  ...columnSamples(rows, "site", SITE_COLUMNS),
  ...otherRequests(rows),
];

export const poolSamples = (rows: CimRow[]): Sample[] =>
  columnSamples(rows, "application_pool", POOL_COLUMNS);

export const siteStateSamples = (rows: CimRow[]): Sample[] =>
  stateSamples(rows, "site", "iis.site.state");

export const poolStateSamples = (rows: CimRow[]): Sample[] =>
  stateSamples(rows, "application_pool", "iis.application_pool.state");
