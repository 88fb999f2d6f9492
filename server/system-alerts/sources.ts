import { Source_Status as Status } from "../../gen/lumetry/v1/source_service_pb.js";
import { SystemAlertKind as Kind } from "../../gen/lumetry/v1/system_alert_service_pb.js";
import { spanText } from "../../lib/age.ts";
import { listStarvingSources } from "../sources/store.ts";
import { type Finding, type Look, labelsOf } from "./findings.ts";

/** Sources that nobody polls, or not in time. */
export async function findStarvingSources(look: Look): Promise<Finding[]> {
  const { db, workspaceId, settings } = look;
  if (!settings[Kind.SOURCE_STARVING].enabled) return [];
  const rows = await listStarvingSources(db, workspaceId);
  return rows.map((row): Finding => {
    const lateMs = row.read_at.getTime() - row.due_at.getTime();
    const why =
      row.status === Status.LATE
        ? `its poll is late by ${spanText(lateMs)}; the collector ${row.holder_name} should make it`
        : row.holder_name
          ? `the collector ${row.holder_name} had it and is not heard of, and no other in the zone can poll it`
          : `no collector in the zone ${row.zone_name} can poll it`;
    return {
      kind: Kind.SOURCE_STARVING,
      subject: row.source_id,
      degree: "amiss",
      summary: `Source ${row.display_name}: ${why}.`,
      labels: labelsOf({
        source: row.display_name,
        collector: row.holder_name,
        zone: row.zone_name,
      }),
      ...(row.assigned_to !== null && { edgeId: row.assigned_to }),
      ...(lateMs > 0 && { value: Math.round(lateMs / 1000) }),
    };
  });
}
