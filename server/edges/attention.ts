import { fromJson } from "@bufbuild/protobuf";
import {
  QueueHealthSchema,
  SendHeartbeatRequest_Warning as Warning,
} from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { Attention_Kind as Kind } from "../../gen/lumetry/v1/edge_pb.js";
import { spanText } from "../../lib/age.ts";
import { ignoreUnknown } from "./rules.ts";
import type { EdgeRow } from "./store.ts";

/** From where on something about an edge is worth attention. */
export interface Limits {
  heartbeatIntervalMs: number;
  missedHeartbeats: number;
  clockSkewMs: number;
  soonFullMs: number;
}

export const usualLimits = (heartbeatIntervalMs: number): Limits => ({
  heartbeatIntervalMs,
  missedHeartbeats: 3,
  clockSkewMs: 30_000,
  soonFullMs: 86_400_000,
});

export interface Matter {
  kind: Kind;
  /** A sentence for people. */
  message: string;
}

/** How long nothing has been heard of it; since its enrollment, if it has never spoken. */
export function silenceMs(row: EdgeRow): number | undefined {
  const since = row.last_seen_at ?? row.enrolled_at;
  return since ? row.read_at.getTime() - since.getTime() : undefined;
}

/** What needs attention about an edge that has enrolled and is not revoked, most urgent first. */
export function edgeAttention(row: EdgeRow, limits: Limits): Matter[] {
  const attention: Matter[] = [];
  if (row.status === "revoked" || row.status === "pending") return attention;
  const add = (kind: Kind, message: string) => attention.push({ kind, message });
  const queue =
    row.queue === null ? undefined : fromJson(QueueHealthSchema, row.queue, ignoreUnknown);
  const isWarned = (warning: Warning) => row.warnings.includes(Warning[warning] ?? "");
  if (row.status === "duplicate_suspected") {
    add(
      Kind.DUPLICATE_SUSPECTED,
      "Two processes seem to share its credential; look at the evidence.",
    );
  }
  const silentMs = silenceMs(row);
  if (silentMs !== undefined && silentMs > limits.missedHeartbeats * limits.heartbeatIntervalMs) {
    add(Kind.MISSED_HEARTBEATS, `It has not been heard of for ${spanText(silentMs)}.`);
  }
  if (isWarned(Warning.QUEUE_UNWRITABLE)) {
    add(Kind.QUEUE_UNWRITABLE, "It cannot write its queue; points may be lost. Look at its disk.");
  }
  const dropped = BigInt(row.recently_dropped ?? 0n);
  if (dropped > 0n) {
    add(
      Kind.POINTS_DROPPED,
      `${dropped.toLocaleString("en")} points were lost from its queue in the last 24 hours.`,
    );
  }
  const fullInMs = queue?.timeToFull ? Number(queue.timeToFull.seconds) * 1000 : undefined;
  if (fullInMs !== undefined && fullInMs < limits.soonFullMs) {
    add(Kind.QUEUE_FILLING, `Its queue will be full in ${spanText(fullInMs)} at the present pace.`);
  }
  const skew = row.clock_skew_ms ?? 0;
  if (Math.abs(skew) >= limits.clockSkewMs) {
    add(Kind.CLOCK_SKEW, `Its clock is ${spanText(skew)} ${skew > 0 ? "ahead" : "behind"}.`);
  }
  if (row.config_outcome === "rejected") {
    add(Kind.CONFIG_REJECTED, `It rejected revision ${row.latest_revision}: ${row.config_reason}`);
  }
  if (isWarned(Warning.RELAY_DOWN)) {
    add(Kind.RELAY_DOWN, "Its relay cannot listen where it was told to; look at its log.");
  }
  if (isWarned(Warning.CLEARTEXT_UPSTREAM)) {
    add(
      Kind.CLEARTEXT_UPSTREAM,
      row.kind === "agent"
        ? "Its way to this server or to its collector is not encrypted."
        : "Its way to this server is not encrypted.",
    );
  }
  if (isWarned(Warning.CLEARTEXT_RELAY)) {
    add(
      Kind.CLEARTEXT_RELAY,
      "Agents may reach its relay without encryption; turn that off in the zone if none has to.",
    );
  }
  if (isWarned(Warning.SAMPLING_INCOMPLETE)) {
    add(Kind.SAMPLING_INCOMPLETE, "It cannot read some of its host's metrics.");
  }
  return attention;
}
