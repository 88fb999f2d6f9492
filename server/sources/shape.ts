import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Reading_PhaseSchema } from "../../gen/lumetry/source/v1/reading_pb.js";
import { SourceSettingsSchema } from "../../gen/lumetry/source/v1/settings_pb.js";
import {
  Source_SecretSummarySchema,
  type SourceSchema,
} from "../../gen/lumetry/v1/source_service_pb.js";
import { measured } from "../duration.ts";
import type { SourceRow } from "./store.ts";

const ignoreUnknown = { ignoreUnknownFields: true };

/** What a row says, in the contract's terms. */
export function toSource(row: SourceRow): MessageInitShape<typeof SourceSchema> {
  const backsOff = row.backing_off_until !== null && row.backing_off_until > row.read_at;
  return {
    sourceId: row.source_id,
    displayName: row.display_name,
    zoneId: row.zone_id,
    settings: fromJson(SourceSettingsSchema, row.settings, ignoreUnknown),
    interval: durationFromMs(Number(row.interval_ms)),
    timeout: durationFromMs(Number(row.timeout_ms)),
    labels: row.labels,
    paused: row.paused,
    ...(row.secrets_summary !== null && {
      secrets: {
        ...fromJson(Source_SecretSummarySchema, row.secrets_summary, ignoreUnknown),
        ...(row.secrets_set_at && { setTime: timestampFromDate(row.secrets_set_at) }),
      },
    }),
    createTime: timestampFromDate(row.created_at),
    updateTime: timestampFromDate(row.updated_at),
    assignedCollectorId: row.is_polled ? (row.assigned_to ?? "") : "",
    status: row.status,
    poll: {
      ...(row.scheduled_at && { lastScheduledTime: timestampFromDate(row.scheduled_at) }),
      ...(row.reported_at && {
        lastReportAge: durationFromMs(row.read_at.getTime() - row.reported_at.getTime()),
      }),
      up: row.up,
      failure: row.failure,
      ...(row.duration_ms !== null && { duration: measured(row.duration_ms) }),
      phases: Array.isArray(row.phases)
        ? row.phases.map((phase) => fromJson(Reading_PhaseSchema, phase, ignoreUnknown))
        : [],
      acceptedPoints: row.accepted,
      refusedPoints: row.refused,
      refusal: row.refusal,
      failuresInARow: row.failures_in_a_row,
      ...(backsOff &&
        row.backing_off_until && { backingOffUntil: timestampFromDate(row.backing_off_until) }),
      completedPolls: row.completed,
      // A slot that was filled afterwards was skipped only for a while.
      skippedPolls: row.skipped > row.filled ? row.skipped - row.filled : 0n,
      filledPolls: row.filled,
      staleReports: row.stale,
      ...(!row.paused && { nextTime: timestampFromDate(row.due_at) }),
    },
  };
}
