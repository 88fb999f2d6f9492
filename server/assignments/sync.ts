import { fromBinary, fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { AssignmentSchema, NetworkPolicySchema } from "../../gen/lumetry/edge/v1/work_pb.js";
import type { SyncAssignmentsResponseSchema } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import {
  SourceSecretsSchema,
  SourceSettingsSchema,
} from "../../gen/lumetry/source/v1/settings_pb.js";
import type { Log } from "../../lib/log.ts";
import type { Queries } from "../db/transaction.ts";
import { sourcePlace } from "../sealing/store.ts";
import type { Vault } from "../sealing/vault.ts";

const MOST_ROWS = 500;
const MOST_BYTES = 1 << 20;

interface Row {
  source_id: string;
  revision: bigint;
  ended: boolean;
  interval_ms: bigint | null;
  phase_ms: bigint;
  timeout_ms: bigint;
  display_name: string;
  target: string;
  settings: JsonValue;
  secrets: Buffer | null;
}

/**
 * What changed in a collector's assignments since a revision. One that has a revision which is not
 * known, or from before what was forgotten, is told everything anew.
 */
export async function syncAssignments(
  parts: {
    queries: Queries;
    vault: Vault;
    log: Log;
    networkPolicy: MessageInitShape<typeof NetworkPolicySchema>;
  },
  at: { workspaceId: string; collectorId: string },
  since: bigint,
): Promise<MessageInitShape<typeof SyncAssignmentsResponseSchema>> {
  const { queries } = parts;
  const { rows: workers } = await queries.query<{
    assignments_revision: bigint;
    forgotten_revision: bigint;
  }>(
    `select assignments_revision, forgotten_revision from workers
     where workspace_id = $1 and collector_id = $2`,
    [at.workspaceId, at.collectorId],
  );
  const [worker] = workers;
  const current = worker?.assignments_revision ?? 0n;
  const reset = since === 0n || since > current || since < (worker?.forgotten_revision ?? 0n);
  const { rows } = await queries.query<Row>(
    `select assignment.source_id, assignment.revision, assignment.ended_at is not null as ended,
       interval_ms, phase_ms, timeout_ms, display_name, target, settings, secrets
     from source_assignments as assignment
     left join sources on sources.workspace_id = assignment.workspace_id
       and sources.source_id = assignment.source_id and assignment.ended_at is null
     where assignment.workspace_id = $1 and collector_id = $2 and revision > $3
       and (ended_at is null or not $4)
     order by revision limit ${MOST_ROWS + 1}`,
    [at.workspaceId, at.collectorId, reset ? 0n : since, reset],
  );

  const assignments: MessageInitShape<typeof AssignmentSchema>[] = [];
  const endedSourceIds: string[] = [];
  let bytes = 0;
  let told = 0;
  for (const row of rows.slice(0, MOST_ROWS)) {
    bytes += JSON.stringify(row.settings ?? null).length + (row.secrets?.length ?? 0) + 200;
    if (told > 0 && bytes > MOST_BYTES) break;
    told += 1;
    if (row.ended || row.interval_ms === null) endedSourceIds.push(row.source_id);
    else assignments.push(toAssignment(parts, at.workspaceId, row));
  }
  const more = told < rows.length;
  const revision = more ? (rows[told - 1]?.revision ?? current) : current;
  // A source that has ended here and come back later in this answer is the caller's.
  const present = new Set(assignments.map(({ sourceId }) => sourceId));
  return {
    reset,
    assignments,
    endedSourceIds: endedSourceIds.filter((id) => !present.has(id)),
    revision,
    more,
    networkPolicy: parts.networkPolicy,
  };
}

function toAssignment(
  { vault, log }: { vault: Vault; log: Log },
  workspaceId: string,
  row: Row,
): MessageInitShape<typeof AssignmentSchema> {
  const { source_id: sourceId } = row;
  let secrets: MessageInitShape<typeof AssignmentSchema>["secrets"];
  if (row.secrets) {
    try {
      const opened = vault.open(row.secrets, sourcePlace(workspaceId, sourceId, row.target));
      secrets = fromBinary(SourceSecretsSchema, opened);
    } catch (error) {
      log.error({ err: error, sourceId }, "a source is polled without its secrets");
    }
  }
  return {
    sourceId,
    revision: row.revision,
    interval: durationFromMs(Number(row.interval_ms)),
    phase: durationFromMs(Number(row.phase_ms)),
    timeout: durationFromMs(Number(row.timeout_ms)),
    settings: fromJson(SourceSettingsSchema, row.settings, { ignoreUnknownFields: true }),
    ...(secrets && { secrets }),
    displayName: row.display_name,
  };
}

/** So long runs of an outage can be offered: as long as the log knows its batches. */
export const OUTAGE_HORIZON = "7 days";

/** Forgets assignments that ended before any run that may still be offered. */
export async function forgetAssignments(queries: Queries): Promise<void> {
  await queries.query(
    `with forgotten as (
       delete from source_assignments where ended_at < wall_clock() - interval '8 days'
       returning workspace_id, collector_id, revision
     ), counted as (
       select workspace_id, collector_id, max(revision) as revision from forgotten
       group by workspace_id, collector_id
     )
     update workers set forgotten_revision = greatest(forgotten_revision, counted.revision)
     from counted where workers.workspace_id = counted.workspace_id
       and workers.collector_id = counted.collector_id`,
  );
}
