import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
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

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const keys = (token: string) => server.client(IngestionKeyService, token);
const displayName = "a gateway";

/** What a key is refused with where only people may come: that it is one, or that it has ended. */
const refusedAs = async (secret: string) =>
  (await refused(server.client(SessionService, secret).getSession({}))).reason;

test("a key is a credential of its own kind, with labels and without an end", async (t) => {
  const labels = { site: "north", "rack.row": "7" };
  const { ingestionKey, secret } = await keys(owner.token).createIngestionKey({
    displayName,
    labels,
  });
  t.regex(secret, /^lmtik_/);
  t.regex(ingestionKey?.ingestionKeyId ?? "", /^key\.[a-z]{10}$/);
  t.deepEqual(ingestionKey?.labels, labels);
  t.is(ingestionKey?.expireTime, undefined);
  t.is(await refusedAs(secret), Reason.NOT_ALLOWED);
});

test("Lumetry's own labels cannot be set", async (t) => {
  for (const name of ["lumetry.collector", "lumetry."]) {
    const refusal = await refused(
      keys(owner.token).createIngestionKey({ displayName, labels: { [name]: "x" } }),
    );
    t.is(refusal.code, Code.InvalidArgument);
    t.true(refusal.message.includes(name));
  }
  await t.notThrowsAsync(
    keys(owner.token).createIngestionKey({ displayName, labels: { lumetry_like: "x" } }),
  );
});

test("a revoked key ends at once and for good, and is revoked only once", async (t) => {
  const { ingestionKey, secret } = await keys(owner.token).createIngestionKey({ displayName });
  const ingestionKeyId = ingestionKey?.ingestionKeyId ?? "";
  t.is(await refusedAs(secret), Reason.NOT_ALLOWED);
  const revoke = () => keys(owner.token).revokeIngestionKey({ ingestionKeyId });
  const revoked = await revoke();
  t.truthy(revoked.ingestionKey?.revokeTime);
  t.is(await refusedAs(secret), Reason.REVOKED);
  t.deepEqual((await revoke()).ingestionKey, revoked.ingestionKey);
  const lines = await server.sql<{ action: string }>(
    "select action from audit_events where target_id = $1 order by audit_event_id",
    [ingestionKeyId],
  );
  t.deepEqual(
    lines.map((line) => line.action),
    ["ingestion_key.created", "ingestion_key.revoked"],
  );
});

test("a key with a lifetime ends when it is over", async (t) => {
  const { ingestionKey, secret } = await keys(owner.token).createIngestionKey({
    displayName,
    lifetime: durationFromMs(3_600_000),
  });
  const { createTime, expireTime } = ingestionKey ?? {};
  if (!createTime || !expireTime) return t.fail();
  t.true(Math.abs(timestampMs(expireTime) - timestampMs(createTime) - 3_600_000) < 1000);
  await server.sql("update ingestion_keys set expires_at = wall_clock() where secret_hash = $1", [
    hashSecret(secret),
  ]);
  t.is(await refusedAs(secret), Reason.CREDENTIAL_EXPIRED);
});

test("another workspace's key is neither listed nor found", async (t) => {
  const theirs = await addWorkspace(server, owner.token);
  const { ingestionKey } = await keys(theirs.token).createIngestionKey({ displayName });
  const ingestionKeyId = ingestionKey?.ingestionKeyId ?? "";
  const refusal = await refused(keys(owner.token).revokeIngestionKey({ ingestionKeyId }));
  t.is(refusal.code, Code.NotFound);
  const { ingestionKeys } = await keys(owner.token).listIngestionKeys({ pageSize: 200 });
  t.false(ingestionKeys.some((key) => key.ingestionKeyId === ingestionKeyId));
});

test("keys are listed newest first, in pages, ended ones included", async (t) => {
  const { token, workspaceId } = await addWorkspace(server, owner.token);
  const ids: string[] = [];
  for (let index = 0; index < 5; index += 1) {
    const { ingestionKey } = await keys(token).createIngestionKey({ displayName });
    ids.unshift(ingestionKey?.ingestionKeyId ?? "");
  }
  await keys(token).revokeIngestionKey({ ingestionKeyId: ids[2] ?? "" });
  // Microseconds apart, as they are when many are made at once.
  for (const [index, id] of ids.entries()) {
    await server.sql(
      `update ingestion_keys set created_at = '2026-01-01Z'::timestamptz
         - $3::int * interval '1 microsecond'
       where workspace_id = $1 and ingestion_key_id = $2`,
      [workspaceId, id, index],
    );
  }
  const listed: string[] = [];
  let pageToken = "";
  do {
    const page = await keys(token).listIngestionKeys({ pageSize: 2, pageToken });
    listed.push(...page.ingestionKeys.map((key) => key.ingestionKeyId));
    pageToken = page.nextPageToken;
  } while (pageToken);
  t.deepEqual(listed, ids);
});

test("operators see keys and only administrators make or revoke them", async (t) => {
  const operator = await addPerson(server, owner.token, Role.OPERATOR);
  const viewer = await addPerson(server, owner.token, Role.VIEWER);
  await t.notThrowsAsync(keys(operator.token).listIngestionKeys({}));
  const calls = [
    keys(viewer.token).listIngestionKeys({}),
    keys(operator.token).createIngestionKey({ displayName }),
    keys(operator.token).revokeIngestionKey({ ingestionKeyId: "key.aaaaaaaaaa" }),
  ];
  for (const { code } of await Promise.all(calls.map(refused))) t.is(code, Code.PermissionDenied);
});
