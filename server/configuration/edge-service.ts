import { createHash } from "node:crypto";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  type ConfigService,
  AcknowledgeConfigRequest_Outcome as Outcome,
} from "../../gen/lumetry/edge/v1/config_service_pb.js";
import { recordChange } from "../audit/store.ts";
import { edgeOf, originOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { type EdgeKey, lockEdge } from "../edges/store.ts";
import * as store from "./store.ts";

/** Configuration as edges see it: fetch the latest, tell what became of it. */
export function edgeConfigService(db: Database): ServiceImpl<typeof ConfigService> {
  return {
    async getConfig(_request, context) {
      const caller = edgeOf(context);
      const key = { workspace_id: caller.workspaceId, edge_id: caller.edgeId };
      if (await store.findUnsettledProfile(db, key)) await settle(db, key);
      const latest = await store.findLatestConfig(db, key);
      if (latest && !latest.offered_at) await store.recordOffer(db, key, latest.revision);
      const document = latest?.document ?? "{}";
      return {
        revision: latest?.revision ?? 0n,
        document,
        documentSha256: createHash("sha256").update(document).digest(),
      };
    },

    async acknowledgeConfig(request, context) {
      const caller = edgeOf(context);
      const key = { workspace_id: caller.workspaceId, edge_id: caller.edgeId };
      const outcome = request.outcome === Outcome.APPLIED ? "applied" : "rejected";
      await db.transaction().execute(async (transaction) => {
        const before = await store.findConfig(transaction, key, request.revision);
        const isNoted = await store.recordOutcome(transaction, key, request.revision, {
          outcome,
          reason: request.reason,
          ignoredKeys: request.ignoredKeys,
          runningRevision: request.runningRevision,
        });
        if (!isNoted) {
          throw new ConnectError(
            `revision ${request.revision} was never offered to this ${caller.kind}`,
            Code.FailedPrecondition,
          );
        }
        if (before?.outcome === outcome && before.reason === request.reason) return;
        await recordChange(transaction, caller.workspaceId, caller, originOf(context), {
          action: `config.${outcome}`,
          target: { id: caller.edgeId, name: caller.displayName },
          details: { revision: Number(request.revision), reason: request.reason },
        });
      });
      return {};
    },
  };
}

function settle(db: Database, key: EdgeKey): Promise<void> {
  return db.transaction().execute(async (transaction) => {
    const edge = await lockEdge(transaction, key.workspace_id, key.edge_id);
    if (edge) await store.settleRevision(transaction, edge);
  });
}
