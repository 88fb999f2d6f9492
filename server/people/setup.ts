import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import type { Database } from "../db/database.ts";
import { ensureDeployment, replaceSetupHash } from "./deployment-store.ts";

/**
 * Run at each start. While the deployment waits for its first person, mints the secret that lets
 * them in and voids the one before; of several servers that start at once the last one's counts.
 * Undefined once the set-up is completed.
 */
export async function prepareDeployment(db: Database): Promise<string | undefined> {
  const secret = makeSecret("lmtsu");
  await ensureDeployment(db, makeId("dep"));
  return (await replaceSetupHash(db, hashSecret(secret))) ? secret : undefined;
}
