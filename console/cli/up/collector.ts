import { rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Collector } from "../../../gen/lumetry/v1/collector_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../../gen/lumetry/v1/edge_pb.js";
import { MetricQueryService } from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { readIfPresent } from "../../../lib/durable-file.ts";
import type { Cli } from "../cli.ts";
import type { Connection } from "../connection.ts";
import { allPages } from "../pages.ts";
import type { Place } from "../place.ts";
import { plain } from "../terminal.ts";
import { counted, countText } from "../words.ts";
import { identityIn, keepToken, late, setAside, waitFor } from "./edge-folder.ts";
import { type UpState, writeUpState } from "./state.ts";

/** A metric that every host has from the first sample on. */
export const FIRST_METRIC = "system.cpu.load_average.1m";

/**
 * The collector of this folder: the one it has, or a new registration with a token to enroll with.
 * Without a session nothing can be registered or looked up.
 */
export async function chooseCollector(
  cli: Cli,
  options: {
    directory: string;
    place: Pick<Place, "url" | "caFile">;
    session: string | undefined;
    state: UpState;
  },
): Promise<{ collectorId: string | undefined; token: string | undefined }> {
  const { directory, place, session, state } = options;
  const identity = path.join(directory, "collector");
  const identified = await identityIn(identity);
  // The collector's own folder knows best; the state is of use until that says something.
  const collectorId = identified ?? state.collectorId;
  if (session === undefined) return { collectorId, token: undefined };
  const connection = cli.connect({ ...place, credential: { secret: session, from: directory } });
  const collectors = connection.client(CollectorService);
  const known =
    collectorId === undefined ? undefined : await findCollector(connection, collectorId);
  const isLiving = known && known.status !== Status.REVOKED && known.status !== Status.PENDING;
  const tokenFile = path.join(directory, "enrollment-token");
  if (isLiving && identified === known.collectorId) {
    rmSync(tokenFile, { force: true });
    return { collectorId, token: undefined };
  }
  // Kept until the collector has its identity on disk: an enrollment that was interrupted after the
  // server's part of it is taken up with the same token and the nonce in the collector's folder.
  const keep = (secret?: string) => keepToken(tokenFile, secret);
  const kept = await readIfPresent(tokenFile);
  if (isLiving && identified === undefined && kept) return { collectorId, token: kept };
  if (known?.status === Status.PENDING) {
    const { enrollmentToken } = await collectors.replaceEnrollmentToken({
      collectorId: known.collectorId,
    });
    return { collectorId, token: keep(enrollmentToken?.secret) };
  }
  // What is left of an identity that has ended, or that belongs to another database.
  setAside(identity);
  const { zones } = await connection.client(ZoneService).listZones({ pageSize: 1 });
  const zone =
    zones[0] ?? (await connection.client(ZoneService).createZone({ displayName: "default" })).zone;
  const { collector, enrollmentToken } = await collectors.createCollector({
    displayName: await freeName(connection, os.hostname() || "this machine"),
    zoneId: zone?.zoneId ?? "",
  });
  writeUpState(directory, { ...state, ...(collector && { collectorId: collector.collectorId }) });
  return { collectorId: collector?.collectorId, token: keep(enrollmentToken?.secret) };
}

/** The name, or with a number behind it when a collector that lives has it already. */
async function freeName(connection: Connection, wanted: string): Promise<string> {
  const client = connection.client(CollectorService);
  const collectors = await allPages(client.listCollectors, (page) => page.collectors);
  const living = collectors.filter(({ status }) => status !== Status.REVOKED);
  const taken = new Set(living.map(({ displayName }) => displayName.toLowerCase()));
  let name = wanted;
  for (let count = 2; taken.has(name.toLowerCase()); count += 1) name = `${wanted}-${count}`;
  return name;
}

/** Undefined when the server does not know it, such as after its database was removed. */
export async function findCollector(
  connection: Connection,
  collectorId: string,
): Promise<Collector | undefined> {
  try {
    return (await connection.client(CollectorService).getCollector({ collectorId })).collector;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw error;
  }
}

export interface Watched {
  connection: Connection;
  collectorId: string;
  /** When its process was started, in milliseconds since 1970. */
  since: number;
  signal: AbortSignal;
}

/** Waits until the server has heard the process, and says so. The server runs on this machine's clock. */
export async function waitForHeartbeat(watched: Watched): Promise<string> {
  const found = await waitFor(watched.signal, async () => {
    const collector = await findCollector(watched.connection, watched.collectorId);
    const seen = collector?.lastSeenTime;
    return seen && timestampMs(seen) >= watched.since ? collector : undefined;
  });
  return found ? `The collector "${plain(found.displayName)}" reports` : late("No heartbeat");
}

/** Waits for points that were taken since the process started, and says what came. */
export async function waitForPoints(watched: Watched): Promise<string> {
  if (process.platform !== "linux") return "Metrics of the host itself are collected on Linux only";
  const client = watched.connection.client(MetricQueryService);
  const found = await waitFor(watched.signal, async () => {
    const { series } = await client.listLatestValues({ metric: FIRST_METRIC, matchers: [] });
    return series.find(({ points }) =>
      points.some(({ time }) => time && timestampMs(time) >= watched.since - 1_000),
    );
  });
  if (!found) return late("No points");
  const { metrics } = await client.listMetrics({ pageSize: 200 });
  const count = metrics.reduce((sum, { seriesCount }) => sum + seriesCount, 0n);
  return `Points arrive: ${counted(metrics.length, "metric")} in ${countText(count)} time series`;
}
