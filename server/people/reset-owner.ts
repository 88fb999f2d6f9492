import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { byServer, recordChange } from "../audit/store.ts";
import type { Database } from "../db/database.ts";
import { asTarget } from "./user.ts";
import * as store from "./user-store.ts";

/** Why no owner can be let in again, worded for whoever is at the server's machine. */
export class NoOwner extends Error {
  override name = "NoOwner";
}

/**
 * Mints an invitation for an owner who cannot sign in any more, enabling them if need be; what
 * they have is theirs until they accept it, and ends then. Whoever calls this has the database in
 * their hands already, so it asks for nothing; it leaves its line in the audit log.
 */
export function resetOwner(
  db: Database,
  email: string | undefined,
): Promise<{ owner: store.UserRow; secret: string }> {
  const secret = makeSecret("lmtiv");
  return db.transaction().execute(async (transaction) => {
    const { workspace_id, user_id } = await findOwner(transaction, email);
    const before = await store.lockUser(transaction, workspace_id, user_id);
    const hash = hashSecret(secret);
    await store.updateUser(transaction, workspace_id, user_id, { disabled: false });
    const owner = await store.replaceInvitation(transaction, workspace_id, user_id, hash);
    await recordChange(transaction, workspace_id, undefined, byServer, {
      action: "invitation.replaced",
      target: asTarget(owner),
      details: { by: "lumetry server reset-owner", ...(before?.disabled && { enabled: true }) },
    });
    return { owner, secret };
  });
}

async function findOwner(db: Database, email: string | undefined): Promise<store.UserRow> {
  const owners = await store.listOwners(db);
  const names = owners.map((owner) => `  ${owner.email}  ${owner.display_name}`).join("\n");
  const meant = owners.filter(
    (owner) => email === undefined || owner.email.toLowerCase() === email.toLowerCase(),
  );
  const [owner, another] = meant;
  if (owner && !another) return owner;
  if (owners.length === 0) {
    throw new NoOwner(
      "Nobody owns this deployment yet: start the server, and complete its set-up with the command that it prints.",
    );
  }
  throw new NoOwner(
    owner
      ? `There is more than one owner; say which with --email:\n${names}`
      : `No owner has that e-mail address; there are:\n${names}`,
  );
}
