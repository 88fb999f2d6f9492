import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { SetupService } from "../../../gen/lumetry/v1/setup_service_pb.js";
import { User_Status as Status } from "../../../gen/lumetry/v1/user_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { makeSecret } from "../../../lib/secret.ts";
import { outcomes, refused } from "../../support/refusal.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";

const somebody = {
  workspaceName: "Acme",
  email: "first@example.com",
  displayName: "First Person",
  password: "seventeen green bottles",
};

const complete = (server: TestServer, setupSecret = "", change: Partial<typeof somebody> = {}) =>
  server.client(SetupService).completeSetup({ ...somebody, setupSecret, ...change });

const isCompleted = async (server: TestServer) =>
  (await server.client(SetupService).getSetup({})).completed;

test("a set-up secret works once, and a deployment knows whether it waits", async (t) => {
  await using server = await startTestServer();
  t.regex(server.setupSecret ?? "", /^lmtsu_/);
  t.false(await isCompleted(server));

  const { session } = await complete(server, server.setupSecret);
  t.true(await isCompleted(server));
  t.regex(session?.secret ?? "", /^lmtss_/);
  t.is(session?.user?.role, Role.OWNER);
  t.is(session?.user?.status, Status.ACTIVE);
  t.truthy(session?.user?.lastSignInTime);

  const me = await server.client(SessionService, session?.secret).getSession({});
  t.is(me.workspaceName, "Acme");
  const { zones } = await server.client(ZoneService, session?.secret).listZones({});
  t.deepEqual(
    zones.map((zone) => zone.displayName),
    ["default"],
  );

  const again = await refused(complete(server, server.setupSecret, { email: "b@example.com" }));
  t.is(again.code, Code.FailedPrecondition);
  t.regex(again.message, /completed already/);
});

test("of many who complete the set-up at once, one does", async (t) => {
  await using server = await startTestServer();
  const calls = Array.from({ length: 8 }, (_, index) =>
    complete(server, server.setupSecret, { email: `person${index}@example.com` }),
  );
  const { answered, codes } = await outcomes(calls);
  t.is(answered, 1);
  t.deepEqual(new Set(codes), new Set([Code.FailedPrecondition]));
  const [counts] = await server.sql<{ users: number; workspaces: number }>(
    `select (select count(*)::int from users) as users,
            (select count(*)::int from workspaces) as workspaces`,
  );
  t.deepEqual(counts, { users: 1, workspaces: 1 });
});

test("a wrong set-up secret is refused, with words where to find the right one", async (t) => {
  await using server = await startTestServer();
  for (const wrong of ["guess", makeSecret("lmtsu"), `${server.setupSecret}x`]) {
    const refusal = await refused(complete(server, wrong));
    t.is(refusal.code, Code.Unauthenticated);
    t.is(refusal.reason, Reason.CREDENTIAL_UNKNOWN);
    t.regex(refusal.message, /the server printed it/);
  }
  t.false(await isCompleted(server));
});

test("each start voids the set-up secret before it, until the set-up is completed", async (t) => {
  await using first = await startTestServer();
  const { databaseUrl } = first;
  {
    await using second = await startTestServer({ databaseUrl });
    t.not(second.setupSecret, first.setupSecret);
    t.is((await refused(complete(first, first.setupSecret))).code, Code.Unauthenticated);
    await complete(first, second.setupSecret);
  }
  await using third = await startTestServer({ databaseUrl });
  t.is(third.setupSecret, undefined);
  t.true(await isCompleted(third));
});

test("servers that start at once leave one set-up secret that works", async (t) => {
  await using first = await startTestServer();
  const { databaseUrl } = first;
  await using stack = new AsyncDisposableStack();
  const others = await Promise.all(
    [1, 2].map(async () => stack.use(await startTestServer({ databaseUrl }))),
  );
  const calls = others.map((other, index) =>
    complete(first, other.setupSecret, { email: `person${index}@example.com` }),
  );
  t.is((await outcomes(calls)).answered, 1);
});

test("a password that is easy to guess is refused, and the secret is still good", async (t) => {
  await using server = await startTestServer();
  const weak: [string, RegExp][] = [
    ["First@Example.com", /is the e-mail address/],
    ["abababababab", /fewer than 5 different characters/],
    ["ｆｉｒｓｔ@example.com", /is the e-mail address/],
    ["too short", /12/],
  ];
  for (const [password, words] of weak) {
    const refusal = await refused(complete(server, server.setupSecret, { password }));
    t.is(refusal.code, Code.InvalidArgument, password);
    t.regex(refusal.message, words);
  }
  await t.notThrowsAsync(complete(server, server.setupSecret));
});

test("passwords are kept as Argon2id with the parameters of OWASP, secrets as hashes", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  const [user] = await server.sql<{ password_hash: string }>("select password_hash from users");
  t.regex(user?.password_hash ?? "", /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);

  const tables = await server.sql<{ name: string }>(
    `select quote_ident(table_name) as name from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  t.true(tables.length > 5);
  for (const secret of [owner.token, owner.password, server.setupSecret]) {
    for (const { name } of tables) {
      const found = await server.sql(
        `select 1 from ${name} as row_of where strpos(row_of::text, $1) > 0`,
        [secret],
      );
      t.is(found.length, 0, name);
    }
  }
});

test("the set-up leaves lines in the audit log that name the owner", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  const lines = await server.sql(
    "select action, actor_kind, actor_id, target_id from audit_events order by action",
  );
  const line = (action: string, target: string) => ({
    action,
    actor_kind: "user",
    actor_id: owner.userId,
    target_id: target,
  });
  t.deepEqual(lines, [
    line("session.created", owner.userId),
    line("workspace.created", owner.workspaceId),
  ]);
});
