import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { recordChange } from "../audit/store.ts";
import { isEdge, originOf, personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { closeSuspicion } from "../heartbeat/store.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { type EdgeKey, type LockedEdge, lockEdge, requestRotation, revokeEdge } from "./store.ts";
import type { EdgeKind } from "./table.ts";

type Work<T> = (transaction: Database, key: EdgeKey, edge: LockedEdge) => Promise<T>;

/** What a person does to a collector or an agent. */
export interface EdgeChanges {
  /** Changes one under its lock, with a line in the audit log, in one transaction. */
  change<T>(
    context: HandlerContext,
    edgeId: string,
    action: string,
    work: Work<T>,
    details?: Record<string, unknown>,
  ): Promise<T>;
  requestRotation(context: HandlerContext, edgeId: string): Promise<void>;
  dismissDuplicate(context: HandlerContext, edgeId: string): Promise<void>;
  /** `also` ends what only this kind has, in the same transaction. */
  revoke(context: HandlerContext, edgeId: string, also?: Work<void>): Promise<void>;
  /** Makes a change of what its credential may do felt at once, on this server. */
  forget(edgeId: string): void;
}

export function makeEdgeChanges({ db, authenticator }: Parts, kind: EdgeKind): EdgeChanges {
  const change: EdgeChanges["change"] = (context, edgeId, action, work, details = {}) => {
    const person = personOf(context);
    return db.transaction().execute(async (transaction) => {
      const edge = await lockEdge(transaction, person.workspaceId, edgeId);
      if (edge?.kind !== kind) throw notFound(kind, edgeId);
      const key = { workspace_id: edge.workspace_id, edge_id: edge.edge_id };
      const result = await work(transaction, key, edge);
      await recordChange(transaction, person.workspaceId, person, originOf(context), {
        action: `${kind}.${action}`,
        target: { id: edgeId, name: edge.display_name },
        details,
      });
      return result;
    });
  };
  const refuse = (why: string) => new ConnectError(why, Code.FailedPrecondition);
  const forget = (edgeId: string) =>
    authenticator.forget((caller) => isEdge(caller) && caller.edgeId === edgeId);

  return {
    change,
    forget,

    requestRotation: (context, edgeId) =>
      change(context, edgeId, "rotation_requested", (transaction, key, { status }) => {
        if (status !== "active") {
          throw refuse(`the ${kind} is ${status}; only an active one can rotate its credential`);
        }
        return requestRotation(transaction, key);
      }),

    dismissDuplicate: (context, edgeId) =>
      change(context, edgeId, "duplicate_dismissed", (transaction, key, { status }) => {
        if (status !== "duplicate_suspected") {
          throw refuse(`the ${kind} is ${status}; there is no suspicion to dismiss`);
        }
        return closeSuspicion(transaction, key);
      }),

    async revoke(context, edgeId, also) {
      await change(context, edgeId, "revoked", async (transaction, key, edge) => {
        if (edge.status === "revoked") throw refuse(`the ${kind} is revoked already`);
        await revokeEdge(transaction, key);
        await also?.(transaction, key, edge);
      });
      forget(edgeId);
    },
  };
}
