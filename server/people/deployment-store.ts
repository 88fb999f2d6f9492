import { type Database, wallClock } from "../db/database.ts";

/** Makes the one row unless it is there; of several at once, one does. */
export async function ensureDeployment(db: Database, deploymentId: string): Promise<void> {
  await db
    .insertInto("deployment")
    .values({ deployment_id: deploymentId, setup_hash: null, setup_completed_at: null })
    .onConflict((conflict) => conflict.column("one_row").doNothing())
    .execute();
}

/** False once the set-up is completed. */
export async function replaceSetupHash(db: Database, hash: Buffer): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("deployment")
    .set({ setup_hash: hash })
    .where("setup_completed_at", "is", null)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

export function findDeployment(db: Database) {
  return db
    .selectFrom("deployment")
    .select(["setup_hash", "setup_completed_at"])
    .executeTakeFirstOrThrow();
}

/** Spends the set-up secret: true for exactly one of those who know it. */
export async function completeSetup(db: Database, hash: Buffer): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable("deployment")
    .set({ setup_hash: null, setup_completed_at: wallClock })
    .where("setup_completed_at", "is", null)
    .where("setup_hash", "=", hash)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/**
 * Notes where people reach the deployment, for links in messages. What a server takes itself to be
 * makes room for what somebody has set, and not the other way round.
 */
export async function noteAddress(
  db: Database,
  { url, wasSet }: { url: string; wasSet: boolean },
): Promise<void> {
  await db
    .updateTable("deployment")
    .set({ public_url: url, public_url_was_set: wasSet })
    .where((where) =>
      where.or([where("public_url", "!=", url), where("public_url_was_set", "!=", wasSet)]),
    )
    .$if(!wasSet, (update) => update.where("public_url_was_set", "=", false))
    .execute();
}
