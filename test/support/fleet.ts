/** A fleet as an operator would find it: made by real calls, in every state that there is. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { QueueHealth_Drop_Reason as DropReason } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { Host_OperatingSystem as System } from "../../gen/lumetry/edge/v1/host_pb.js";
import {
  MetricMetadata_Kind as Kind,
  MetricMetadataSchema,
} from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { AccessTokenService } from "../../gen/lumetry/v1/access_token_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { ConfigurationService } from "../../gen/lumetry/v1/configuration_service_pb.js";
import { IngestionKeyService } from "../../gen/lumetry/v1/ingestion_key_service_pb.js";
import {
  TopologyNode_Kind as Node,
  TopologyService,
} from "../../gen/lumetry/v1/topology_service_pb.js";
import { UserService } from "../../gen/lumetry/v1/user_service_pb.js";
import { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import { addProfile, enrollAgent } from "./agent.ts";
import { edgeCalls, enroll, makeProcess, register } from "./collector.ts";
import { addFleetAlerting, type FleetAlerting } from "./fleet-alerting.ts";
import { addFleetWork, type FleetWork } from "./fleet-work.ts";
import { seriesOf } from "./points.ts";
import type { Owner, TestServer } from "./server.ts";

const MINUTE_MS = 60_000;

/** A wave that looks like a host at work, the same at every run. */
const wave = (at: number, seed: number, low: number, high: number) => {
  const slow = Math.sin(at / 900_000 + seed) * 0.5 + 0.5;
  const fast = Math.sin(at / 170_000 + seed * 7) * Math.sin(at / 61_000 + seed * 3) * 0.5 + 0.5;
  return low + (high - low) * (0.65 * slow + 0.35 * fast);
};

const METADATA = [
  ["system.cpu.utilization", Kind.GAUGE, "1", "Share of the time that the processors were busy."],
  [
    "system.cpu.load_average.1m",
    Kind.GAUGE,
    "{thread}",
    "Threads that ran or wanted to, on average over a minute.",
  ],
  ["system.memory.utilization", Kind.GAUGE, "1", "Share of the memory in use, by state."],
  ["system.filesystem.utilization", Kind.GAUGE, "1", "Share of a file system in use."],
  ["system.network.io", Kind.COUNTER, "By", "Bytes sent and received, by device."],
  ["system.disk.io", Kind.COUNTER, "By", "Bytes read and written, by device."],
] as const;

/** What a host measured in the last so many minutes, but for a stretch in which it was away. */
function measured(seed: number, now: number, minutes: number, away: (at: number) => boolean) {
  const end = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  const times = Array.from(
    { length: minutes },
    (_, index) => end - (minutes - 1 - index) * MINUTE_MS,
  ).filter((at) => !away(at));
  const gauge = (
    metric: string,
    labels: Record<string, string>,
    low: number,
    high: number,
    nth = 0,
  ) =>
    seriesOf(
      metric,
      labels,
      ...times.map((at): [number, number] => [at, wave(at, seed + nth, low, high)]),
    );
  const counter = (metric: string, labels: Record<string, string>, rate: number, nth: number) => {
    let total = 1e9 * (seed + 1);
    return seriesOf(
      metric,
      labels,
      ...times.map((at): [number, number] => {
        total += Math.round(wave(at, seed + nth, rate * 0.2, rate) * 60);
        return [at, total];
      }),
    );
  };
  return [
    gauge("system.cpu.utilization", {}, 0.05, 0.78),
    gauge("system.cpu.load_average.1m", {}, 0.2, 6.5),
    gauge("system.memory.utilization", { state: "used" }, 0.42, 0.66, 1),
    gauge("system.memory.utilization", { state: "cached" }, 0.18, 0.29, 2),
    gauge(
      "system.filesystem.utilization",
      { mountpoint: "/", device: "/dev/nvme0n1p2" },
      0.61,
      0.615,
    ),
    gauge(
      "system.filesystem.utilization",
      { mountpoint: "/var/lib/postgresql", device: "/dev/nvme1n1" },
      0.34,
      0.36,
    ),
    counter("system.network.io", { device: "eth0", direction: "receive" }, 4_200_000, 1),
    counter("system.network.io", { device: "eth0", direction: "transmit" }, 1_900_000, 2),
    counter("system.disk.io", { device: "nvme0n1", direction: "read" }, 900_000, 3),
    counter("system.disk.io", { device: "nvme0n1", direction: "write" }, 6_100_000, 4),
  ];
}

const dropAt = (now: number) => ({
  dropId: 1n,
  points: 18_422n,
  reason: DropReason.LIMIT,
  startTime: timestampFromMs(now - 38 * MINUTE_MS),
  endTime: timestampFromMs(now - 29 * MINUTE_MS),
});

export interface Fleet extends FleetWork, FleetAlerting {
  /** A host that is placed in a cluster. */
  agent: string;
  cluster: string;
  /** With charts, a configuration and drops. */
  busy: string;
  /** Of which two processes speak. */
  duplicate: string;
  /** Not enrolled yet. */
  pending: string;
  /** Polls, and delivers. */
  worker: string;
}

export async function addFleet(server: TestServer, owner: Owner): Promise<Fleet> {
  const zones = server.client(ZoneService, owner.token);
  const collectors = server.client(CollectorService, owner.token);
  const { zone } = await zones.createZone({
    displayName: "Frankfurt",
    allowedNetworks: ["10.20.0.0/16", "192.168.40.0/24"],
  });
  const frankfurt = { token: owner.token, zoneId: zone?.zoneId ?? "" };
  const now = Date.now();
  const ids = new Map<string, string>();

  const add = async (
    name: string,
    seed: number,
    options: {
      place?: { token: string; zoneId: string };
      queued?: number;
      skewMs?: number;
      away?: (at: number) => boolean;
      silentFor?: string;
      drops?: boolean;
      minutes?: number;
    } = {},
  ) => {
    const { token, collectorId } = await register(server, options.place ?? owner, name);
    ids.set(name, collectorId);
    const { credential } = await enroll(server, token, {
      host: {
        hostname: `${name}.example.com`,
        machineFingerprint: name,
        operatingSystem: System.LINUX,
        architecture: seed % 3 === 0 ? "arm64" : "x64",
        kernelVersion: "6.8.0-45-generic",
      },
    });
    const process = makeProcess(server, credential, `${name}.example.com`);
    const queued = BigInt(options.queued ?? (seed % 4) * 3);
    const queue = {
      queueId: `queue-${seed}`,
      queuedPoints: queued,
      queuedBytes: queued * 24n + 90_000n,
      limitBytes: 500_000_000n,
      ...(queued > 100_000n && {
        timeToFull: durationFromMs(5 * 3_600_000),
        oldestPointTime: timestampFromMs(now - 3 * 3_600_000),
      }),
      ...(options.drops && { droppedPoints: 18_422n, drops: [dropAt(now)] }),
    };
    const beat = (more: { configRevision?: bigint } = {}) =>
      process.beat({
        version: seed === 4 ? "0.0.9" : "0.1.0",
        sentTime: timestampFromMs(Date.now() + (options.skewMs ?? 12)),
        queue,
        ...more,
      });
    await beat();
    const { metrics } = edgeCalls(server, credential);
    await metrics.writeMetrics({
      batchId: `${name}-1`,
      series: measured(seed, now, options.minutes ?? 60, options.away ?? (() => false)),
      metadata: METADATA.map(([metric, kind, unit, description]) =>
        create(MetricMetadataSchema, { metric, kind, unit, description }),
      ),
    });
    if (options.silentFor) {
      await server.sql(
        "update edges set last_seen_at = last_seen_at - $1::interval where edge_id = $2",
        [options.silentFor, collectorId],
      );
    }
    return { collectorId, credential, beat };
  };

  await add("ingest-01", 1, { place: frankfurt });
  await add("ingest-02", 2, { place: frankfurt });
  const busy = await add("db-primary", 3, {
    drops: true,
    away: (at) => at > now - 38 * MINUTE_MS && at < now - 29 * MINUTE_MS,
  });
  // Heard of since yesterday, but for the minutes in which it was away.
  await server.sql(
    `update edge_contacts set started_at = wall_clock() - interval '19 hours',
       ended_at = wall_clock() - interval '38 minutes', heartbeats = 4449 where edge_id = $1`,
    [busy.collectorId],
  );
  await busy.beat();
  await server.sql(
    `update edge_contacts set started_at = wall_clock() - interval '29 minutes', heartbeats = 117
     where edge_id = $1 and heartbeats = 1`,
    [busy.collectorId],
  );
  const replica = await add("db-replica", 4);
  await add("edge-gateway", 5, { queued: 184_220 });
  await add("build-runner-7", 6, { skewMs: 94_000 });
  await add("mail-relay", 7, { silentFor: "47 minutes" });
  await add("web-fra-1", 8, { place: frankfurt });
  await add("web-fra-2", 9, { place: frankfurt });

  const configs = server.client(ConfigurationService, owner.token);
  const targetId = busy.collectorId;
  const publish = (document: object) =>
    configs.publishConfiguration({ targetId, document: JSON.stringify(document, null, 2) });
  const { config } = edgeCalls(server, busy.credential);
  const apply = async () => {
    const { revision } = await config.getConfig({});
    await config.acknowledgeConfig({ revision, outcome: 1, runningRevision: revision });
    await busy.beat({ configRevision: revision });
  };
  await publish({ hostMetrics: { intervalSeconds: 60 } });
  await apply();
  await publish({ hostMetrics: { enabled: true, intervalSeconds: 30 } });
  await apply();

  const twice = await add("cache-02", 10);
  const copy = makeProcess(server, twice.credential, "cache-02-restored.example.com");
  await copy.beat({ version: "0.1.0" });
  await copy.beat({ version: "0.1.0" });
  await twice.beat();
  await twice.beat();
  await copy.beat({ version: "0.1.0" });
  await copy.beat({ version: "0.1.0" });

  const pending = await register(server, owner, "backup-vault");
  const old = await register(server, owner, "web-old-3");
  await collectors.revokeCollector({ collectorId: old.collectorId });

  const topology = server.client(TopologyService, owner.token);
  const site = await topology.createTopologyNode({ kind: Node.SITE, displayName: "Frankfurt" });
  const { node: cluster } = await topology.createTopologyNode({
    kind: Node.CLUSTER,
    displayName: "ANVMBWEBWX",
    parentId: site.node?.nodeId ?? "",
  });
  const profile = await addProfile(server, frankfurt, { displayName: "web servers" });
  const agents: string[] = [];
  for (const [index, name] of ["web-11", "web-12", "web-13", "iis-01"].entries()) {
    const seed = 20 + index;
    const { agentId, credential } = await enrollAgent(server, profile.token, {
      version: "0.1.0",
      host: {
        hostname: `${name}.example.com`,
        machineFingerprint: name,
        operatingSystem: name.startsWith("iis") ? System.WINDOWS : System.LINUX,
        architecture: "x64",
      },
      placement: { case: "clusterName", value: index < 3 ? "anvmbwebwx" : "NOWHERE" },
    });
    agents.push(agentId);
    await makeProcess(server, credential, `${name}.example.com`).beat({ version: "0.1.0" });
    await edgeCalls(server, credential).metrics.writeMetrics({
      batchId: `${name}-1`,
      series: measured(seed, now, 60, () => false),
    });
  }

  const users = server.client(UserService, owner.token);
  await users.createUser({ email: "ada@example.com", displayName: "Ada Lindqvist", role: 3 });
  await users.createUser({ email: "noor@example.com", displayName: "Noor Haddad", role: 2 });
  const tokens = server.client(AccessTokenService, owner.token);
  await tokens.createAccessToken({ displayName: "nightly report" });
  const keys = server.client(IngestionKeyService, owner.token);
  await keys.createIngestionKey({ displayName: "payments gateway", labels: { team: "payments" } });
  const work = await addFleetWork(server, owner, replica);
  const alerting = await addFleetAlerting(server, owner, work.channel);
  return {
    ...work,
    ...alerting,
    worker: replica.collectorId,
    agent: agents[0] ?? "",
    cluster: cluster?.nodeId ?? "",
    busy: busy.collectorId,
    duplicate: twice.collectorId,
    pending: pending.collectorId,
  };
}
