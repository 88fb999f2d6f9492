import { type Database, fromNow, wallClock } from "../db/database.ts";
import type { EdgeKey } from "../edges/store.ts";

/** Ends what was issued and never used. At most one credential is pending, and one active. */
export async function voidPendingCredential(db: Database, owner: EdgeKey): Promise<void> {
  await db
    .updateTable("edge_credentials")
    .set({ state: "ended", ended_at: wallClock })
    .where("workspace_id", "=", owner.workspace_id)
    .where("edge_id", "=", owner.edge_id)
    .where("state", "=", "pending")
    .execute();
}

/** Issues a credential, pending until it is first used; without a time limit if that is undefined. */
export async function insertCredential(
  db: Database,
  owner: EdgeKey,
  credential: { credentialId: string; secretHash: Buffer; confirmWithinMs: number | undefined },
): Promise<void> {
  await db
    .insertInto("edge_credentials")
    .values({
      workspace_id: owner.workspace_id,
      edge_id: owner.edge_id,
      credential_id: credential.credentialId,
      state: "pending",
      secret_hash: credential.secretHash,
      confirm_by:
        credential.confirmWithinMs === undefined ? null : fromNow(credential.confirmWithinMs),
    })
    .execute();
}
