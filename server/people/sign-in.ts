import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { SessionSchema } from "../../gen/lumetry/v1/session_service_pb.js";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { roleFromName } from "../access/names.ts";
import { recordChange } from "../audit/store.ts";
import type { Origin, Person } from "../context.ts";
import type { Database } from "../db/database.ts";
import { insertSession } from "./session-store.ts";
import { asTarget, toUser } from "./user.ts";
import type { UserRow } from "./user-store.ts";

/** Somebody who proved who they are, signed in. */
export interface SignIn {
  person: Person;
  session: MessageInitShape<typeof SessionSchema>;
}

/** Opens a session within a transaction that has written to the person's row. */
export async function signIn(
  db: Database,
  user: UserRow,
  origin: Origin,
  lifetimeMs: number,
): Promise<SignIn> {
  const secret = makeSecret("lmtss");
  const secretHash = hashSecret(secret);
  const expiresAt = await insertSession(db, user, secretHash, lifetimeMs);
  const person: Person = {
    kind: "person",
    workspaceId: user.workspace_id,
    userId: user.user_id,
    displayName: user.display_name,
    role: roleFromName(user.role),
    secretHash,
  };
  await recordChange(db, user.workspace_id, person, origin, {
    action: "session.created",
    target: asTarget(user),
  });
  return {
    person,
    session: { secret, expireTime: timestampFromDate(expiresAt), user: toUser(user) },
  };
}
