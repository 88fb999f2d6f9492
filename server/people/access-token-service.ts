import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import { Role } from "../../gen/lumetry/access/v1/access_pb.js";
import type {
  AccessTokenSchema,
  AccessTokenService,
} from "../../gen/lumetry/v1/access_token_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { roleFromName, roleName } from "../access/names.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, type Person, personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound, problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import * as store from "./access-token-store.ts";
import { isInForce } from "./session-store.ts";
import { lockUser } from "./user-store.ts";

const DEFAULT_LIFETIME_MS = 90 * 86_400_000;

function toAccessToken(row: store.AccessTokenRow): MessageInitShape<typeof AccessTokenSchema> {
  return {
    accessTokenId: row.access_token_id,
    displayName: row.display_name,
    role: roleFromName(row.role),
    createTime: timestampFromDate(row.created_at),
    expireTime: timestampFromDate(row.expires_at),
    ...(row.revoked_at && { revokeTime: timestampFromDate(row.revoked_at) }),
  };
}

const asTarget = (row: store.AccessTokenRow) => ({
  id: row.access_token_id,
  name: row.display_name,
});

export function accessTokenService({
  db,
  authenticator,
}: Parts): ServiceImpl<typeof AccessTokenService> {
  return {
    async createAccessToken({ displayName, role: wanted, lifetime }, context) {
      const person = personOf(context);
      const secret = makeSecret("lmtut");
      const token = await db.transaction().execute(async (transaction) => {
        const most = await mostRole(transaction, person);
        const role = wanted === Role.UNSPECIFIED ? most : wanted;
        if (role > most) {
          throw problem(
            Code.PermissionDenied,
            Reason.NOT_ALLOWED,
            `a token cannot do more than its maker: yours is the role ${roleName(most)}`,
          );
        }
        const created = await store.insertAccessToken(transaction, person, {
          accessTokenId: makeId("tok"),
          displayName,
          role: roleName(role),
          secretHash: hashSecret(secret),
          lifetimeMs: lifetime ? durationMs(lifetime) : DEFAULT_LIFETIME_MS,
        });
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: "access_token.created",
          target: asTarget(created),
          details: { role: created.role, expireTime: created.expires_at },
        });
        return created;
      });
      return { accessToken: toAccessToken(token), secret };
    },

    async listAccessTokens(request, context) {
      const page = readPage(request, 1);
      const found = await store.listAccessTokens(db, personOf(context), page, request.search);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.access_token_id]);
      return { accessTokens: rows.map(toAccessToken), nextPageToken };
    },

    async revokeAccessToken({ accessTokenId }, context) {
      const person = personOf(context);
      const token = await db.transaction().execute(async (transaction) => {
        const found = await store.lockAccessToken(transaction, person, accessTokenId);
        if (!found) throw notFound("access token", accessTokenId);
        if (found.revoked_at) return found;
        const revoked = await store.revokeAccessToken(transaction, found);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: "access_token.revoked",
          target: asTarget(revoked),
        });
        return revoked;
      });
      authenticator.forget(
        (caller) => caller.kind === "person" && caller.secretHash.equals(token.secret_hash),
      );
      return { accessToken: toAccessToken(token) };
    },
  };
}

/**
 * The caller's role under the lock of their row, so that a credential which ended or was demoted a
 * moment ago leaves no token behind that outlives it.
 */
async function mostRole(db: Database, person: Person): Promise<Role> {
  const user = await lockUser(db, person.workspaceId, person.userId);
  if (!user || user.disabled || !(await isInForce(db, person.secretHash))) {
    throw problem(Code.Unauthenticated, Reason.CREDENTIAL_EXPIRED, "the credential has ended");
  }
  return Math.min(person.role, roleFromName(user.role));
}
