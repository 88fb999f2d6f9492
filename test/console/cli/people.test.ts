import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  CreateAccessTokenResponseSchema,
  ListAccessTokensResponseSchema,
} from "../../../gen/lumetry/v1/access_token_service_pb.js";
import { ListAuditEventsResponseSchema } from "../../../gen/lumetry/v1/audit_service_pb.js";
import {
  CreateIngestionKeyResponseSchema,
  ListIngestionKeysResponseSchema,
} from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { GetSessionResponseSchema } from "../../../gen/lumetry/v1/session_service_pb.js";
import { User_Status } from "../../../gen/lumetry/v1/user_pb.js";
import { ListUsersResponseSchema } from "../../../gen/lumetry/v1/user_service_pb.js";
import { GetWorkspaceResponseSchema } from "../../../gen/lumetry/v1/workspace_service_pb.js";
import { GetZoneResponseSchema } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { as, openShell, type Shell } from "../../support/cli.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let shell: Shell;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  shell = await openShell();
});

test.after.always(async () => {
  await shell?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const asOwner = () => ({ environment: as(server, owner.token) });
const type = (...args: string[]) => shell.lumetry(args, asOwner());

test.serial("people are added, changed, kept out and invited again", async (t) => {
  const roleless = await type("users", "create", "ada@example.com", "--name", "Ada");
  t.is(roleless.code, 2);
  t.regex(roleless.stderr, /required option '--role <role>' not specified/);

  const { stdout, stderr } = await shell.lumetry(
    ["users", "create", "ada@example.com", "--name", "Ada", "--role", "operator"],
    asOwner(),
  );
  t.regex(stdout, /Ada was added as operator: usr\./, stderr);
  t.regex(stdout, /lumetry login --server https:\S+ --ca ca\.pem --invitation lmtiv_\w+\n/);
  t.regex(stdout, /until it ends at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, in \d+ (hours|days)/);

  t.regex(
    (await type("users", "update", "ADA@example.com", "--role", "admin")).stdout,
    /now admin/,
  );
  t.is((await type("users", "disable", "ada")).code, 0);
  const { users } = await shell.ask(ListUsersResponseSchema, ["users", "list"], asOwner());
  const ada = users.find(({ email }) => email === "ada@example.com");
  const found = await shell.ask(
    ListUsersResponseSchema,
    ["users", "list", "--search", "ADA@"],
    asOwner(),
  );
  t.deepEqual(
    found.users.map(({ email }) => email),
    ["ada@example.com"],
  );
  t.is(ada?.role, Role.ADMIN);
  t.is(ada?.status, User_Status.DISABLED);
  t.regex((await type("users", "enable", ada?.userId ?? "")).stdout, /can sign in again/);
  t.regex((await type("users", "invite", "ada@example.com")).stdout, /--invitation lmtiv_/);

  const list = await type("users", "list");
  t.regex(list.stdout, /^E-MAIL +NAME +ROLE +STATUS +LAST SIGNED IN +ID\n/);
  t.regex(list.stdout, /ada@example\.com +Ada +admin +invited +never/);
});

test.serial("the last administrator stays", async (t) => {
  const { code, stderr } = await type("users", "disable", owner.email);
  t.is(code, 1);
  t.regex(stderr, /^lumetry: .+\.\n$/);
});

test.serial("a token acts for its owner until it is revoked", async (t) => {
  const { secret, accessToken } = await shell.ask(
    CreateAccessTokenResponseSchema,
    ["tokens", "create", "deploy", "--role", "viewer", "--lifetime", "30d"],
    asOwner(),
  );
  const withToken = { environment: as(server, secret) };
  const { role } = await shell.ask(GetSessionResponseSchema, ["whoami"], withToken);
  t.is(role, Role.VIEWER);
  t.regex(
    (await shell.lumetry(["whoami"], withToken)).stdout,
    /role +viewer \(less than your own, owner\)/,
  );
  t.regex((await type("tokens", "list")).stdout, /deploy +tok\.\w+ +viewer +ends in 29 days/);

  t.regex((await type("tokens", "revoke", "Deploy")).stdout, /The token Deploy has ended/);
  const { accessTokens } = await shell.ask(
    ListAccessTokensResponseSchema,
    ["tokens", "list"],
    asOwner(),
  );
  t.truthy(
    accessTokens.find((each) => each.accessTokenId === accessToken?.accessTokenId)?.revokeTime,
  );
  const refused = await shell.lumetry(["whoami"], withToken);
  t.is(refused.code, 3);
  t.regex(refused.stderr, /Sign in again with "lumetry login"/);
});

test.serial("an ingestion key is made with labels, listed and revoked", async (t) => {
  const { secret } = await shell.ask(
    CreateIngestionKeyResponseSchema,
    ["keys", "create", "ci", "-l", "team=build", "-l", "site=lyon"],
    asOwner(),
  );
  t.regex(secret, /^lmtik_/);
  t.regex((await type("keys", "list")).stdout, /ci +key\.\w+ +never ends +site=lyon team=build/);
  t.is((await type("keys", "revoke", "ci")).code, 0);
  const { ingestionKeys } = await shell.ask(
    ListIngestionKeysResponseSchema,
    ["keys", "list"],
    asOwner(),
  );
  t.truthy(ingestionKeys[0]?.revokeTime);

  const asKey = await shell.lumetry(["zones", "list"], { environment: as(server, secret) });
  t.is(asKey.code, 3);
});

test.serial("zones come and go", async (t) => {
  const created = await type("zones", "create", "Lyon", "--allow", "10.0.0.0/8", "192.168.1.0/24");
  t.regex(created.stdout, /The zone "Lyon" was created: zon\./, created.stderr);
  const again = await type("zones", "create", "lyon");
  t.is(again.code, 1);
  t.regex(again.stderr, /There is a zone of that name already\./);

  const updated = await type("zones", "update", "lyon", "--name", "Lyon DC", "--allow-private");
  t.regex(updated.stdout, /allowed networks +every private network/, updated.stderr);
  t.regex((await type("zones", "list")).stdout, /Lyon DC +zon\.\w+ +every private network/);
  const { zone } = await shell.ask(GetZoneResponseSchema, ["zones", "show", "LYON dc"], asOwner());
  t.is(zone?.displayName, "Lyon DC");

  t.is((await type("zones", "delete", "Lyon DC")).code, 0);
  const gone = await type("zones", "show", "Lyon DC");
  t.is(gone.code, 1);
  t.regex(gone.stderr, /There is no zone named "Lyon DC"\.\nList them with "lumetry zones list"/);
  const near = await type("zones", "show", "defaut");
  t.regex(near.stderr, /Did you mean "default"\?/);
});

test.serial("a workspace is renamed, and another one is founded", async (t) => {
  t.regex((await type("workspaces", "rename", "Acme Europe")).stdout, /now named "Acme Europe"/);
  const { workspace } = await shell.ask(
    GetWorkspaceResponseSchema,
    ["workspaces", "show"],
    asOwner(),
  );
  t.is(workspace?.displayName, "Acme Europe");
  t.regex((await type("workspaces", "show")).stdout, /series +0 of at most 100,000/);
  const founded = await type(
    ...["workspaces", "create", "Globex"],
    ...["--admin-email", "alma@example.org", "--admin-name", "Alma"],
  );
  t.regex(founded.stdout, /"Globex" was created: wsp\.\w+[\s\S]*Send this to Alma[\s\S]*lmtiv_/);
});

test.serial("the audit log tells who changed what", async (t) => {
  const { stdout } = await type("audit", "list", "--limit", "3");
  t.is(stdout.trim().split("\n").length, 4);
  t.regex(stdout, /Olivia Owner +workspace\.created +Globex +127\.0\.0\.1/);
  const { auditEvents } = await shell.ask(
    ListAuditEventsResponseSchema,
    ["audit", "list", "--target", owner.workspaceId],
    asOwner(),
  );
  t.true(auditEvents.length > 0);
  t.true(auditEvents.every(({ targetId }) => targetId === owner.workspaceId));
});
