import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { SendHeartbeatRequest_Warning as Warning } from "../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import type { Clock } from "../lib/clock.ts";
import { makeDirectories } from "../lib/directories.ts";
import type { Log } from "../lib/log.ts";
import { startLoop } from "../lib/loop.ts";
import { version } from "../lib/version.ts";
import { ClockOffset } from "./clock-offset.ts";
import { Configuration } from "./configuration.ts";
import type { Fingerprint } from "./connecting.ts";
import type { Duty, EdgeAccess } from "./duty.ts";
import { enroll, type Redeem, Refused } from "./enroll.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { HostFacts } from "./host-metrics/host-facts.ts";
import type { Sampler } from "./host-metrics/sampler.ts";
import { type EdgeKind, Identity } from "./identity.ts";
import { noteLostQueue } from "./lost-queue.ts";
import { NeedsPerson } from "./needs-person.ts";
import { openQueue } from "./queue/queue.ts";
import type { Relaying } from "./relaying.ts";
import { type Route, Routes, type RouteTiming } from "./routes.ts";
import { Sampling } from "./sampling.ts";
import { type Status, writeStatus } from "./status.ts";
import { Uploading } from "./uploading.ts";
import { makeUpstream } from "./upstream.ts";

/** The status is looked at this often while it changes, and written when it has changed. */
const STATUS_EVERY_MS = 2_000;
/** It is looked at more seldom while all is well, and written all the same, to show that somebody lives. */
const STATUS_AT_LEAST_EVERY_MS = 10_000;

const TOKENS = {
  collector: "the one-time token of a registered collector",
  agent: "the token of an enrollment profile",
} as const;

export interface EdgeSettings {
  kind: EdgeKind;
  /** The ways to the server, the preferred one first. */
  routes: readonly Route[];
  /** Keys of the collectors among them; these are then trusted by nothing else. */
  pins?: readonly Fingerprint[] | undefined;
  caFile?: string | undefined;
  proxy?: string | undefined;
  dataDir: string;
  /** Needed once, for a data directory that holds no identity yet. */
  enrollmentToken?: string | undefined;
  queueLimitBytes: number;
}

export interface EdgeParts {
  sampler: Sampler;
  /** How this kind of edge enrolls, and what it says of its host. */
  redeem: Redeem;
  facts: () => Promise<HostFacts>;
  /** Called once the identity is final and no token is needed any longer. */
  onEnrolled?: (() => Promise<void>) | undefined;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  /** Makes one that also relays for others; it runs until this edge ends. */
  startRelaying?:
    | ((identity: Identity, parts: { clock: Clock; log: Log }) => Promise<Relaying>)
    | undefined;
  /** What it does besides, once it is enrolled. */
  startDuty?: ((edge: EdgeAccess) => Promise<Duty>) | undefined;
  /** What the local status tells of that. */
  dutyStatus?: (() => Status["work"]) | undefined;
  /** Samples this often, whatever is configured; for putting an edge under load. */
  sampleEveryMs?: number;
  /** In place of the patience that routes have. */
  routeTiming?: RouteTiming | undefined;
}

/**
 * Runs one installation until the signal aborts: collects, queues, uploads and reports. Collecting
 * starts at once, whether or not the server can be reached. Throws NeedsPerson when starting again
 * is of no use; Refused, of that kind, when the server will never have this installation (again).
 */
export async function runEdge(settings: EdgeSettings, parts: EdgeParts): Promise<void> {
  const { sampler, clock, log } = parts;
  const { kind, dataDir } = settings;
  const startedAt = new Date(clock.now()).toISOString();
  await makeDataDirectory(dataDir);

  // Whoever has a reason to end everything aborts this, with the reason.
  const ending = new AbortController();
  const signal = AbortSignal.any([parts.signal, ending.signal]);
  const refuse = (reason: string) => ending.abort(new Refused(reason));

  const processEpoch = randomBytes(9).toString("base64url");
  await using queue = await openQueue(`${dataDir}/queue`, {
    limitBytes: settings.queueLimitBytes,
    processEpoch,
    clock,
    log,
  });
  // Only now is the directory this process's own: before, another could still be changing it.
  const identity = await Identity.load(dataDir, kind);
  const { enrollmentToken } = settings;
  if (!identity.isEnrolled && enrollmentToken === undefined) {
    throw new NeedsPerson(
      `${dataDir} holds no identity yet: give ${TOKENS[kind]} with --enrollment-token-file`,
    );
  }
  if (identity.isConfirmed && queue.isNew) await noteLostQueue(dataDir, queue, log);
  const configuration = await Configuration.load(dataDir, log);
  const offset = new ClockOffset(clock);
  await using relay = await parts.startRelaying?.(identity, { clock, log });
  const routes = new Routes(settings.routes, { clock, log, timing: parts.routeTiming });
  const { caFile, proxy, pins = [] } = settings;
  const upstream = makeUpstream({ routes, caFile, proxy, pins, identity });
  const sampling = new Sampling({
    sampler,
    queue,
    configuration,
    offset,
    labels: { host: hostname() },
    everyMs: parts.sampleEveryMs,
    clock,
    log,
  });
  let heartbeat: Heartbeat | undefined;
  const uploading = new Uploading({
    upstream,
    queue,
    offset,
    processEpoch,
    clock,
    log,
    onStored: () => heartbeat?.hurry(),
    stop: refuse,
  });
  routes.onBetter(() => {
    heartbeat?.hurry();
    uploading.hurry();
  });
  let enrollmentProblem: string | undefined;

  const isCleartext = (of: Route["kind"]) =>
    settings.routes.some((route) => route.kind === of && route.url.startsWith("http:"));
  const warnings = () => [
    ...(isCleartext("direct") ? [Warning.CLEARTEXT_UPSTREAM] : []),
    ...(isCleartext("collector") ? [Warning.CLEARTEXT_RELAY] : []),
    ...(sampling.isQueueWritable ? [] : [Warning.QUEUE_UNWRITABLE]),
    ...(sampler.isComplete() ? [] : [Warning.SAMPLING_INCOMPLETE]),
    ...(relay?.warnings() ?? []),
  ];

  const status = (state: Status["state"], problem?: string): Status => {
    const { drops, ...health } = queue.health();
    const iso = (time: number | undefined) =>
      time === undefined ? undefined : new Date(time).toISOString();
    return {
      state,
      problem,
      pid: process.pid,
      version,
      edgeId: identity.edgeId,
      placement: identity.placement,
      routes: routes.states.map((route) => ({ ...route, since: iso(route.since) })),
      writtenAt: new Date(clock.now()).toISOString(),
      startedAt,
      lastHeartbeatAt: iso(heartbeat?.lastSuccessAt),
      lastUploadAt: iso(uploading.lastSuccessAt),
      clockOffsetMs: offset.current(),
      configRevision: String(configuration.revision),
      warnings: warnings().map((warning) => Warning[warning] ?? ""),
      relay: relay?.status(),
      queue: { ...health, drops: drops.length },
      work: parts.dutyStatus?.(),
    };
  };
  const present = (): Status => {
    if (!heartbeat) return status("enrolling", enrollmentProblem);
    const problem = heartbeat.lastProblem ?? uploading.lastProblem;
    if (problem !== undefined) return status("offline", problem);
    return status(heartbeat.lastSuccessAt === undefined ? "connecting" : "connected");
  };
  let written = "";
  let writtenAt = Number.NEGATIVE_INFINITY;
  let isQuiet = false;
  const report = async () => {
    const now = present();
    const content = JSON.stringify({ ...now, writtenAt: "" });
    isQuiet = content === written && now.state === "connected";
    const age = clock.monotonic() - writtenAt;
    if (content === written && age < STATUS_AT_LEAST_EVERY_MS) return;
    await writeStatus(dataDir, now);
    [written, writtenAt] = [content, clock.monotonic()];
  };
  const reporting = startLoop(report, {
    every: () => (isQuiet ? STATUS_AT_LEAST_EVERY_MS : STATUS_EVERY_MS),
    clock,
    signal,
    onError: (error) => log.warn({ err: error }, "the local status cannot be written"),
  });

  const communicate = async () => {
    if (!identity.isConfirmed && enrollmentToken !== undefined) {
      await enroll({
        upstream,
        identity,
        token: enrollmentToken,
        redeem: parts.redeem,
        facts: await parts.facts(),
        log,
        signal,
        onProblem: (problem) => {
          enrollmentProblem = problem;
        },
      });
    }
    if (signal.aborted) return;
    if (identity.isConfirmed) await parts.onEnrolled?.();
    heartbeat = new Heartbeat({
      upstream,
      identity,
      queue,
      offset,
      configuration,
      warnings,
      relay,
      unwrittenPoints: () => sampling.lostPoints,
      clock,
      log,
      signal,
      onAnswer: () => uploading.hurry(),
      stop: refuse,
    });
    const { processId } = heartbeat;
    const access = { upstream, processId, offset, dataDir, clock, log, stop: refuse };
    await using duty = await parts.startDuty?.(access);
    const probe = (route: Route) => upstream.probe(route, signal);
    await Promise.all([
      heartbeat.done,
      uploading.run(signal),
      duty?.run(signal),
      ...(settings.routes.length > 1 ? [routes.watch(probe, signal)] : []),
    ]);
  };

  const duties = [sampling.run(signal), communicate()].map((duty) =>
    // Any one that fails ends the others.
    duty.catch((error) => ending.abort(error)),
  );
  await Promise.all(duties);
  await reporting.done;

  const { reason } = ending.signal;
  const isRefused = reason instanceof Refused;
  await writeStatus(dataDir, status(isRefused ? "refused" : "stopped", reason?.message));
  if (ending.signal.aborted) throw reason;
}

async function makeDataDirectory(directory: string): Promise<void> {
  try {
    await makeDirectories(directory, 0o700);
  } catch (error) {
    throw new NeedsPerson(`--data-dir: ${(error as Error).message}`);
  }
}
