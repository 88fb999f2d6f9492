import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { AccessTokenService } from "../../../gen/lumetry/v1/access_token_service_pb.js";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { User_Status as Status } from "../../../gen/lumetry/v1/user_pb.js";
import { UserService } from "../../../gen/lumetry/v1/user_service_pb.js";
import { WorkspaceService } from "../../../gen/lumetry/v1/workspace_service_pb.js";
import { outcomes, refused } from "../../support/refusal.ts";
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

const users = (token: string) => server.client(UserService, token);
const sessions = (token?: string) => server.client(SessionService, token);
const newPerson = (role = Role.VIEWER, by = owner.token) => addPerson(server, by, role);

async function roleOf(token: string): Promise<Role> {
  return (await sessions(token).getSession({})).role;
}

async function newToken(token: string, role = Role.UNSPECIFIED): Promise<string> {
  const tokens = server.client(AccessTokenService, token);
  return (await tokens.createAccessToken({ displayName: "a script", role })).secret;
}

/** Whether a credential is still good. */
async function isGood(token: string): Promise<boolean> {
  return (await outcomes([sessions(token).getSession({})])).answered === 1;
}

/** An administrator of a workspace of their own, and their id. */
async function newAdministrator() {
  const { token, workspaceId } = await addWorkspace(server, owner.token);
  const { user } = await sessions(token).getSession({});
  return { token, workspaceId, userId: user?.userId ?? "" };
}

test("a person is invited, active once they accepted, and disabled when told", async (t) => {
  const admin = await newAdministrator();
  const email = "Ines@example.net";
  const created = await users(admin.token).createUser({
    email,
    displayName: "Ines",
    role: Role.OPERATOR,
  });
  const userId = created.user?.userId ?? "";
  t.regex(userId, /^usr\.[a-z]{10}$/);
  t.is(created.user?.status, Status.INVITED);
  t.is(created.user?.lastSignInTime, undefined);
  const invitation = created.invitation?.secret ?? "";
  t.regex(invitation, /^lmtiv_/);
  t.truthy(created.invitation?.expireTime);

  const { session } = await sessions().acceptInvitation({
    invitation,
    password: "rain in may, sun in june",
  });
  t.is(session?.user?.status, Status.ACTIVE);
  t.truthy(session?.user?.lastSignInTime);
  t.is(session?.user?.email, email);

  const disabled = await users(admin.token).updateUser({ userId, disabled: true });
  t.is(disabled.user?.status, Status.DISABLED);
  const listed = await users(admin.token).listUsers({});
  t.is(listed.users.find((user) => user.userId === userId)?.status, Status.DISABLED);
});

test("the people are listed by address, in pages, without those of other workspaces", async (t) => {
  const { token } = await newAdministrator();
  for (const name of ["dora", "Bea", "cid", "Ann", "eve"]) {
    const email = `${name}@paging.example`;
    await users(token).createUser({ email, displayName: name, role: Role.VIEWER });
  }
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = await users(token).listUsers({ pageSize: 2, pageToken });
    pages.push(page.users.map((user) => user.displayName));
    pageToken = page.nextPageToken;
  } while (pageToken);
  t.deepEqual(
    pages.map((page) => page.length),
    [2, 2, 2],
  );
  t.deepEqual(
    pages.flat().filter((name) => name !== "Alma Administrator"),
    ["Ann", "Bea", "cid", "dora", "eve"],
  );
  const junk = await refused(users(token).listUsers({ pageToken: "junk" }));
  t.is(junk.code, Code.InvalidArgument);
});

test("another workspace's person is not found, just as one that never was", async (t) => {
  const theirs = await newAdministrator();
  const [mine] = (await users(owner.token).listUsers({})).users;
  for (const userId of [mine?.userId ?? "", "usr.nosuchuser"]) {
    const calls = [
      users(theirs.token).updateUser({ userId, displayName: "Mallory" }),
      users(theirs.token).updateUser({ userId, disabled: true }),
      users(theirs.token).replaceInvitation({ userId }),
    ];
    for (const refusal of await Promise.all(calls.map(refused))) {
      t.is(refusal.code, Code.NotFound);
      t.is(refusal.message, `there is no person "${userId}"`);
    }
  }
});

test("an address that is taken gets the same answer wherever it is taken", async (t) => {
  const { email } = await newPerson();
  const theirs = await newAdministrator();
  const person = { email: email.toUpperCase(), displayName: "Twin", role: Role.VIEWER };
  const answers = await Promise.all([
    refused(users(owner.token).createUser(person)),
    refused(users(theirs.token).createUser(person)),
    refused(
      server.client(WorkspaceService, owner.token).createWorkspace({
        displayName: "Twin Works",
        adminEmail: email,
        adminDisplayName: "Twin",
      }),
    ),
  ]);
  for (const { code, message } of answers) {
    t.is(code, Code.AlreadyExists);
    t.regex(message, /^this e-mail address cannot be used/);
  }
});

test("a demoted person's tokens are demoted too, at once, and come back with the role", async (t) => {
  const person = await newPerson(Role.ADMIN);
  const token = await newToken(person.token);
  t.is(await roleOf(token), Role.ADMIN);
  const change = (role: Role) => users(owner.token).updateUser({ userId: person.userId, role });

  t.is((await change(Role.VIEWER)).user?.role, Role.VIEWER);
  t.is(await roleOf(token), Role.VIEWER);
  t.is(await roleOf(person.token), Role.VIEWER);
  t.is((await refused(users(token).replaceInvitation(person))).code, Code.PermissionDenied);

  await change(Role.ADMIN);
  t.is(await roleOf(token), Role.ADMIN);
});

test("disabling ends all sessions, access tokens and the invitation at once", async (t) => {
  const person = await newPerson(Role.OPERATOR);
  const { userId, email, password } = person;
  const token = await newToken(person.token);
  const second = (await sessions().createSession({ email, password })).session?.secret ?? "";
  const { invitation } = await users(owner.token).replaceInvitation({ userId });
  const secrets = [person.token, second, token];
  t.deepEqual(await Promise.all(secrets.map(isGood)), [true, true, true]);

  await users(owner.token).updateUser({ userId, disabled: true });
  t.deepEqual(await Promise.all(secrets.map(isGood)), [false, false, false]);
  const refusals = await Promise.all([
    refused(sessions().createSession({ email, password })),
    refused(sessions().acceptInvitation({ invitation: invitation?.secret ?? "", password })),
  ]);
  t.deepEqual(
    refusals.map(({ code }) => code),
    [Code.Unauthenticated, Code.Unauthenticated],
  );
  const invite = await refused(users(owner.token).replaceInvitation({ userId }));
  t.is(invite.code, Code.FailedPrecondition);

  await users(owner.token).updateUser({ userId, disabled: false });
  t.deepEqual(await Promise.all(secrets.map(isGood)), [false, false, false]);
  await t.notThrowsAsync(sessions().createSession({ email, password }));
});

test("somebody who signs in while they are disabled is out in the end", async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const { userId, email, password } = await newPerson();
    const [signedIn] = await Promise.allSettled([
      sessions().createSession({ email, password }),
      users(owner.token).updateUser({ userId, disabled: true }),
    ]);
    const token = signedIn.status === "fulfilled" ? signedIn.value.session?.secret : undefined;
    t.false(token !== undefined && (await isGood(token)));
    const left = await server.sql("select 1 from sessions where user_id = $1", [userId]);
    t.is(left.length, 0);
  }
});

test("the last administrator can be neither disabled nor demoted", async (t) => {
  const { token, userId } = await newAdministrator();
  for (const change of [{ disabled: true }, { role: Role.OPERATOR }]) {
    const refusal = await refused(users(token).updateUser({ userId, ...change }));
    t.is(refusal.code, Code.FailedPrecondition);
    t.regex(refusal.message, /last administrator/);
  }
  // Somebody who never accepted cannot administer, and somebody disabled cannot either.
  await users(token).createUser({
    email: `invited.${userId}@example.com`,
    displayName: "Invited",
    role: Role.ADMIN,
  });
  const other = await newPerson(Role.ADMIN, token);
  await users(token).updateUser({ userId: other.userId, disabled: true });
  t.is((await refused(users(token).updateUser({ userId, disabled: true }))).code, 9);

  await users(token).updateUser({ userId: other.userId, disabled: false });
  await users(token).updateUser({ userId, role: Role.VIEWER });
  t.is(await roleOf(token), Role.VIEWER);
});

test("two administrators who disable or demote each other at once leave one", async (t) => {
  for (const change of [{ disabled: true }, { role: Role.VIEWER }, { disabled: true }]) {
    const first = await newAdministrator();
    const second = await newPerson(Role.ADMIN, first.token);
    const { answered } = await outcomes([
      users(first.token).updateUser({ userId: second.userId, ...change }),
      users(second.token).updateUser({ userId: first.userId, ...change }),
    ]);
    t.is(answered, 1);
    const [left] = await server.sql<{ count: number }>(
      `select count(*)::int as count from users
       where workspace_id = $1 and role = 'admin' and not disabled`,
      [first.workspaceId],
    );
    t.is(left?.count, 1);
  }
});

test("an owner stays owner, and only an owner can act on one", async (t) => {
  const { userId } = owner;
  const admin = await newPerson(Role.ADMIN);
  const asAdmin = await newToken(owner.token, Role.ADMIN);
  for (const token of [admin.token, asAdmin]) {
    const calls = [
      users(token).updateUser({ userId, displayName: "Mallory" }),
      users(token).updateUser({ userId, role: Role.VIEWER }),
      users(token).updateUser({ userId, disabled: true }),
      users(token).replaceInvitation({ userId }),
    ];
    for (const { code } of await Promise.all(calls.map(refused))) t.is(code, Code.PermissionDenied);
  }
  for (const change of [{ role: Role.ADMIN }, { disabled: true }]) {
    const refusal = await refused(users(owner.token).updateUser({ userId, ...change }));
    t.is(refusal.code, Code.FailedPrecondition);
    t.regex(refusal.message, /owner/);
  }
  const { user } = await users(owner.token).updateUser({ userId, displayName: "Olivia O." });
  t.is(user?.displayName, "Olivia O.");
  t.is(user?.role, Role.OWNER);
});

test("nobody can be made an owner", async (t) => {
  const { userId } = await newPerson(Role.ADMIN);
  const calls = [
    users(owner.token).updateUser({ userId, role: Role.OWNER }),
    users(owner.token).createUser({ email: "o@example.com", displayName: "O", role: Role.OWNER }),
  ];
  for (const { code } of await Promise.all(calls.map(refused))) t.is(code, Code.InvalidArgument);
});

test("who is no administrator reads the list and changes nobody", async (t) => {
  const { token, userId } = await newPerson(Role.OPERATOR);
  t.true((await users(token).listUsers({})).users.length >= 2);
  const calls = [
    users(token).createUser({ email: "x@example.com", displayName: "X", role: Role.VIEWER }),
    users(token).updateUser({ userId, role: Role.ADMIN }),
    users(token).replaceInvitation({ userId }),
  ];
  for (const { code } of await Promise.all(calls.map(refused))) t.is(code, Code.PermissionDenied);
});

test("a replaced invitation voids the one before", async (t) => {
  const { user, invitation } = await users(owner.token).createUser({
    email: "lost@example.com",
    displayName: "Lost",
    role: Role.VIEWER,
  });
  const replaced = await users(owner.token).replaceInvitation({ userId: user?.userId ?? "" });
  const accept = (secret = "") =>
    sessions().acceptInvitation({ invitation: secret, password: "found it again 1" });
  t.is((await refused(accept(invitation?.secret))).code, Code.Unauthenticated);
  await t.notThrowsAsync(accept(replaced.invitation?.secret));
});

test("the audit log tells who changed whom, and how", async (t) => {
  const { userId } = await newPerson();
  const change = (wanted: object) => users(owner.token).updateUser({ userId, ...wanted });
  await change({ role: Role.OPERATOR, displayName: "Renamed" });
  await change({ disabled: true });
  await change({ disabled: false });
  await users(owner.token).replaceInvitation({ userId });
  const lines = await server.sql<{ action: string; actor_id: string; details: object }>(
    `select action, actor_id, details from audit_events
     where target_id = $1 and actor_id <> $1 order by audit_event_id`,
    [userId],
  );
  t.true(lines.every((line) => line.actor_id === owner.userId));
  t.deepEqual(
    lines.map((line) => line.action),
    ["user.created", "user.updated", "user.disabled", "user.enabled", "invitation.replaced"],
  );
  t.like(lines[1]?.details, {
    role: { from: "viewer", to: "operator" },
    displayName: { to: "Renamed" },
  });
});
