import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { User_Status as Status, type UserSchema } from "../../gen/lumetry/v1/user_pb.js";
import type { InvitationSchema } from "../../gen/lumetry/v1/user_service_pb.js";
import { roleFromName } from "../access/names.ts";
import { brokenConstraint } from "../db/database.ts";
import type { UserRow } from "./user-store.ts";

function statusOf(row: UserRow): Status {
  if (row.disabled) return Status.DISABLED;
  return row.password_hash === null ? Status.INVITED : Status.ACTIVE;
}

export function toUser(row: UserRow): MessageInitShape<typeof UserSchema> {
  return {
    userId: row.user_id,
    email: row.email,
    displayName: row.display_name,
    role: roleFromName(row.role),
    status: statusOf(row),
    createTime: timestampFromDate(row.created_at),
    ...(row.last_sign_in_at && { lastSignInTime: timestampFromDate(row.last_sign_in_at) }),
  };
}

/** The one answer in which the secret appears. */
export function toInvitation(
  secret: string,
  row: UserRow,
): MessageInitShape<typeof InvitationSchema> {
  return {
    secret,
    ...(row.invitation_expires_at && { expireTime: timestampFromDate(row.invitation_expires_at) }),
  };
}

/** How an audit line names a person. */
export const asTarget = (row: UserRow) => ({ id: row.user_id, name: row.display_name });

/** Says in the caller's terms why a person could not be added, and nothing about where the other one is. */
export function explainNewUser(error: unknown): unknown {
  return brokenConstraint(error) === "one_user_per_email"
    ? new ConnectError("this e-mail address cannot be used; choose another", Code.AlreadyExists)
    : error;
}
