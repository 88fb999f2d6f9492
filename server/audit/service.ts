import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AuditService } from "../../gen/lumetry/v1/audit_service_pb.js";
import { personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { afterNumber, cutPage, readPage } from "../page.ts";

export function auditService(db: Database): ServiceImpl<typeof AuditService> {
  return {
    async listAuditEvents(request, context) {
      const page = readPage(request, 1);
      const after = afterNumber(page);
      let query = db
        .selectFrom("audit_events")
        .selectAll()
        .where("workspace_id", "=", personOf(context).workspaceId)
        .orderBy("audit_event_id", "desc")
        .limit(page.size + 1);
      if (after !== undefined) query = query.where("audit_event_id", "<", after);
      if (request.targetId) query = query.where("target_id", "=", request.targetId);
      const { rows, nextPageToken } = cutPage(await query.execute(), page, (row) => [
        String(row.audit_event_id),
      ]);
      return {
        nextPageToken,
        auditEvents: rows.map((row) => ({
          auditEventId: String(row.audit_event_id),
          time: timestampFromDate(row.happened_at),
          actorKind: row.actor_kind,
          actorId: row.actor_id,
          actorName: row.actor_name,
          action: row.action,
          targetId: row.target_id,
          targetName: row.target_name,
          address: row.address,
          requestId: row.request_id,
          details: JSON.stringify(row.details),
        })),
      };
    },
  };
}
