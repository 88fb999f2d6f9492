import { sql } from "kysely";
import { SystemAlertKind as Kind } from "../../gen/lumetry/v1/system_alert_service_pb.js";
import { spanText } from "../../lib/age.ts";
import type { Finding, Look } from "./findings.ts";

/** What has less than a fifth of its life left is about to end; what was made for an hour is not at once. */
export const LAST_SHARE = 0.2;
/** What has expired is told of for so long. */
const AFTERWARDS = sql`interval '1 day'`;

/** Tokens and keys that end soon, or have ended just now. */
export async function findExpiringTokens(look: Look): Promise<Finding[]> {
  const { db, workspaceId } = look;
  const { enabled, threshold } = look.settings[Kind.TOKEN_EXPIRING];
  if (!enabled) return [];
  const { rows } = await sql<{ noun: string; id: string; name: string; left_ms: number }>`
    select noun, id, name, extract(epoch from ends - wall_clock())::float8 * 1000 as left_ms from (
      select 'Ingestion key' as noun, ingestion_key_id as id, display_name as name,
        created_at as begins, expires_at as ends
      from ingestion_keys where workspace_id = ${workspaceId} and revoked_at is null
      union all
      select 'Access token', access_token_id, display_name, created_at, expires_at
      from access_tokens where workspace_id = ${workspaceId} and revoked_at is null
      union all
      select 'Enrollment profile', profile_id, display_name, created_at, expires_at
      from enrollment_profiles
      where workspace_id = ${workspaceId} and disabled_at is null and uses < max_uses
      union all
      -- One that has expired is what attention tells of.
      select 'Enrollment token of the collector', edge_id, display_name, created_at, token_expires_at
      from edges join collectors
        on collectors.workspace_id = edges.workspace_id and collector_id = edge_id
      where edges.workspace_id = ${workspaceId} and status = 'pending'
        and token_expires_at > wall_clock()
    ) as tokens
    where ends > wall_clock() - ${AFTERWARDS}
      and ends < wall_clock() + ${threshold} * interval '1 millisecond'
      and ends - wall_clock() < (ends - begins) * ${LAST_SHARE}::double precision
  `.execute(db);
  return rows.map(({ noun, id, name, left_ms }) => ({
    kind: Kind.TOKEN_EXPIRING,
    subject: id,
    degree: "amiss",
    summary:
      left_ms > 0
        ? `${noun} ${name}: it expires in ${spanText(left_ms)}.`
        : `${noun} ${name}: it has expired.`,
    labels: {},
    value: Math.round(left_ms / 1000),
    ...(id.startsWith("col.") && { edgeId: id, labels: { collector: name } }),
  }));
}
