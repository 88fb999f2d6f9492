import type { Caller, Origin } from "../context.ts";
import type { Database } from "../db/database.ts";

/** One change, to be written in the transaction that makes it. Details never hold a secret. */
export interface Change {
  action: string;
  target: { id: string; name: string };
  details?: Record<string, unknown>;
}

function actorOf(caller: Caller): { kind: string; id: string; name: string } {
  switch (caller.kind) {
    case "person":
      return { kind: "user", id: caller.userId, name: caller.displayName };
    case "collector":
    case "agent":
      return { kind: caller.kind, id: caller.edgeId, name: caller.displayName };
    case "ingestion_key":
      return { kind: "ingestion_key", id: caller.ingestionKeyId, name: caller.displayName };
    default:
      return { kind: "nobody", id: "", name: "" };
  }
}

export const byServer: Origin = { requestId: "", address: "" };

/** Adds a line to the audit log of a workspace; `caller` undefined means the server itself. */
export async function recordChange(
  db: Database,
  workspaceId: string,
  caller: Caller | undefined,
  origin: Origin,
  change: Change,
): Promise<void> {
  const actor = caller ? actorOf(caller) : { kind: "server", id: "", name: "" };
  await db
    .insertInto("audit_events")
    .values({
      workspace_id: workspaceId,
      actor_kind: actor.kind,
      actor_id: actor.id,
      actor_name: actor.name,
      action: change.action,
      target_id: change.target.id,
      target_name: change.target.name,
      address: origin.address,
      request_id: origin.requestId,
      details: change.details ?? {},
    })
    .execute();
}
