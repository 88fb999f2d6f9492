import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { AccessTokenService } from "../../../gen/lumetry/v1/access_token_service_pb.js";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { hashSecret } from "../../../lib/secret.ts";
import { refused } from "../../support/refusal.ts";
import {
  addPerson,
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

const DAY = 86_400_000;

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const tokens = (token: string) => server.client(AccessTokenService, token);
const sessions = (token: string) => server.client(SessionService, token);
const newPerson = (role: Role) => addPerson(server, owner.token, role);
const displayName = "a script";

test("a token acts for its person, with their role and for ninety days unless told otherwise", async (t) => {
  const person = await newPerson(Role.OPERATOR);
  const { accessToken, secret } = await tokens(person.token).createAccessToken({ displayName });
  t.regex(secret, /^lmtut_/);
  t.is(accessToken?.role, Role.OPERATOR);
  const { createTime, expireTime } = accessToken ?? {};
  if (!createTime || !expireTime) return t.fail();
  t.true(Math.abs(timestampMs(expireTime) - timestampMs(createTime) - 90 * DAY) < 1000);
  const me = await sessions(secret).getSession({});
  t.is(me.user?.userId, person.userId);
  t.is(me.role, Role.OPERATOR);

  const shorter = await tokens(person.token).createAccessToken({
    displayName,
    role: Role.VIEWER,
    lifetime: durationFromMs(60_000),
  });
  t.is((await sessions(shorter.secret).getSession({})).role, Role.VIEWER);
});

test("a token has at most its maker's own role, and a token makes no stronger one", async (t) => {
  const person = await newPerson(Role.OPERATOR);
  const more = await refused(
    tokens(person.token).createAccessToken({ displayName, role: Role.ADMIN }),
  );
  t.is(more.code, Code.PermissionDenied);
  t.is(more.reason, Reason.NOT_ALLOWED);
  t.regex(more.message, /operator/);

  const { secret } = await tokens(person.token).createAccessToken({
    displayName,
    role: Role.VIEWER,
  });
  const stronger = tokens(secret).createAccessToken({ displayName, role: Role.OPERATOR });
  t.is((await refused(stronger)).code, Code.PermissionDenied);
  const { accessToken } = await tokens(secret).createAccessToken({ displayName });
  t.is(accessToken?.role, Role.VIEWER);
});

test("everybody lists and revokes only their own tokens", async (t) => {
  const [first, second] = [await newPerson(Role.ADMIN), await newPerson(Role.ADMIN)];
  const elsewhere = await addWorkspace(server, owner.token);
  const { accessToken } = await tokens(first.token).createAccessToken({ displayName });
  const accessTokenId = accessToken?.accessTokenId ?? "";
  for (const { token } of [second, elsewhere, owner]) {
    const { accessTokens } = await tokens(token).listAccessTokens({ pageSize: 200 });
    t.false(accessTokens.some((one) => one.accessTokenId === accessTokenId));
    const refusal = await refused(tokens(token).revokeAccessToken({ accessTokenId }));
    t.is(refusal.code, Code.NotFound);
  }
  const { accessTokens } = await tokens(first.token).listAccessTokens({});
  t.deepEqual(
    accessTokens.map((token) => token.accessTokenId),
    [accessTokenId],
  );
});

test("a revoked token ends at once, stays in the list, and is revoked only once", async (t) => {
  const person = await newPerson(Role.VIEWER);
  const { accessToken, secret } = await tokens(person.token).createAccessToken({ displayName });
  const accessTokenId = accessToken?.accessTokenId ?? "";
  await sessions(secret).getSession({});
  const revoke = () => tokens(person.token).revokeAccessToken({ accessTokenId });
  const revoked = await revoke();
  t.truthy(revoked.accessToken?.revokeTime);
  const refusal = await refused(sessions(secret).getSession({}));
  t.is(refusal.code, Code.Unauthenticated);
  t.is(refusal.reason, Reason.CREDENTIAL_EXPIRED);

  t.deepEqual((await revoke()).accessToken?.revokeTime, revoked.accessToken?.revokeTime);
  const { accessTokens } = await tokens(person.token).listAccessTokens({});
  t.deepEqual(accessTokens[0]?.revokeTime, revoked.accessToken?.revokeTime);
  const lines = await server.sql<{ action: string }>(
    "select action from audit_events where target_id = $1 order by audit_event_id",
    [accessTokenId],
  );
  t.deepEqual(
    lines.map((line) => line.action),
    ["access_token.created", "access_token.revoked"],
  );
});

test("a token ends when its time is over", async (t) => {
  const { secret } = await tokens(owner.token).createAccessToken({ displayName });
  await server.sql("update access_tokens set expires_at = wall_clock() where secret_hash = $1", [
    hashSecret(secret),
  ]);
  const refusal = await refused(sessions(secret).getSession({}));
  t.is(refusal.reason, Reason.CREDENTIAL_EXPIRED);
});

test("a token lives from a minute to 366 days", async (t) => {
  for (const lifetime of [59_000, 367 * DAY]) {
    const refusal = await refused(
      tokens(owner.token).createAccessToken({ displayName, lifetime: durationFromMs(lifetime) }),
    );
    t.is(refusal.code, Code.InvalidArgument);
  }
});

test("tokens are listed newest first, in pages, even when made within one millisecond", async (t) => {
  const { token, userId } = await newPerson(Role.VIEWER);
  for (let index = 0; index < 7; index += 1) {
    await tokens(token).createAccessToken({ displayName: `token ${index}` });
  }
  await server.sql(
    `update access_tokens set created_at = '2026-01-01Z'::timestamptz
       + right(display_name, 1)::int / 2 * interval '1 microsecond'
     where user_id = $1`,
    [userId],
  );
  const names: string[] = [];
  let pageToken = "";
  do {
    const page = await tokens(token).listAccessTokens({ pageSize: 2, pageToken });
    names.push(...page.accessTokens.map((one) => one.displayName));
    pageToken = page.nextPageToken;
  } while (pageToken);
  t.is(names.length, 7);
  t.is(new Set(names).size, 7);
  t.deepEqual(
    names.map((name) => Math.floor(Number(name.at(-1)) / 2)),
    [3, 2, 2, 1, 1, 0, 0],
  );
});

test("a session that ended a moment ago leaves no token behind", async (t) => {
  const { token } = await newPerson(Role.VIEWER);
  await sessions(token).getSession({});
  // As another server process would: this one may still trust what it knew.
  await server.sql("delete from sessions where secret_hash = $1", [hashSecret(token)]);
  const refusal = await refused(tokens(token).createAccessToken({ displayName }));
  t.is(refusal.code, Code.Unauthenticated);
});
