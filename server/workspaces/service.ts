import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type {
  WorkspaceSchema,
  WorkspaceService,
} from "../../gen/lumetry/v1/workspace_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { byServer, recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { asTarget, explainNewUser, toInvitation } from "../people/user.ts";
import { insertInvitedUser } from "../people/user-store.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { foundWorkspace } from "./founding.ts";
import * as store from "./store.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function toWorkspace(row: store.WorkspaceRow): MessageInitShape<typeof WorkspaceSchema> {
  return {
    workspaceId: row.workspace_id,
    displayName: row.display_name,
    createTime: timestampFromDate(row.created_at),
    seriesCount: row.series_count,
    seriesLimit: row.series_limit,
  };
}

export function workspaceService({ db, settings }: Parts): ServiceImpl<typeof WorkspaceService> {
  return {
    async getWorkspace(_request, context) {
      const workspace = await store.findWorkspace(db, personOf(context).workspaceId);
      return { workspace: toWorkspace(workspace) };
    },

    async updateWorkspace({ displayName }, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      const workspace = await db.transaction().execute(async (transaction) => {
        const renamed = await store.renameWorkspace(transaction, workspaceId, displayName);
        await recordChange(transaction, workspaceId, person, originOf(context), {
          action: "workspace.updated",
          target: { id: workspaceId, name: displayName },
        });
        return renamed;
      });
      return { workspace: toWorkspace(workspace) };
    },

    async setSeriesLimit({ workspaceId, seriesLimit }, context) {
      const person = personOf(context);
      const id = workspaceId || person.workspaceId;
      if (id.includes("\0")) throw notFound("workspace", id);
      const workspace = await db.transaction().execute(async (transaction) => {
        const changed = await store.setSeriesLimit(transaction, id, seriesLimit);
        if (!changed) throw notFound("workspace", id);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: "workspace.series_limit_set",
          target: { id, name: changed.display_name },
          details: { seriesLimit: Number(seriesLimit) },
        });
        return changed;
      });
      return { workspace: toWorkspace(workspace) };
    },

    async getIngestHistory({ lookBack }, context) {
      const { workspaceId } = personOf(context);
      const minutes = Math.floor((lookBack ? durationMs(lookBack) : HOUR_MS) / MINUTE_MS);
      const rows = await store.countArrivals(db, workspaceId, minutes);
      return {
        minutes: rows.map(({ minute, points }) => ({
          startTime: timestampFromDate(minute),
          points,
        })),
      };
    },

    async createWorkspace({ displayName, adminEmail, adminDisplayName }, context) {
      const person = personOf(context);
      const secret = makeSecret("lmtiv");
      try {
        return await db.transaction().execute(async (transaction) => {
          const workspace = await foundWorkspace(transaction, displayName, settings);
          const admin = await insertInvitedUser(
            transaction,
            {
              workspaceId: workspace.workspace_id,
              userId: makeId("usr"),
              email: adminEmail,
              displayName: adminDisplayName,
              role: "admin",
            },
            hashSecret(secret),
          );
          await recordChange(transaction, person.workspaceId, person, originOf(context), {
            action: "workspace.created",
            target: { id: workspace.workspace_id, name: displayName },
            details: { adminEmail },
          });
          // The new tenant learns that it was made, and nothing about another tenant's people.
          await recordChange(transaction, workspace.workspace_id, undefined, byServer, {
            action: "user.created",
            target: asTarget(admin),
            details: { email: adminEmail, role: admin.role },
          });
          return { workspace: toWorkspace(workspace), invitation: toInvitation(secret, admin) };
        });
      } catch (error) {
        throw explainNewUser(error);
      }
    },
  };
}
