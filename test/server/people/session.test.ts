import { Code, createClient } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { AccessTokenService } from "../../../gen/lumetry/v1/access_token_service_pb.js";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { UserService } from "../../../gen/lumetry/v1/user_service_pb.js";
import { hashSecret, makeSecret } from "../../../lib/secret.ts";
import { outcomes, refused } from "../../support/refusal.ts";
import {
  addPerson,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

const NEW_PASSWORD = "nineteen yellow kites";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const newPerson = (role = Role.VIEWER) => addPerson(server, owner.token, role);
const strangers = () => server.client(SessionService);
const sessions = (token: string) => server.client(SessionService, token);

async function signIn(who: { email: string; password: string }): Promise<string> {
  const { session } = await strangers().createSession(who);
  return session?.secret ?? "";
}

async function newToken(token: string): Promise<string> {
  const tokens = server.client(AccessTokenService, token);
  return (await tokens.createAccessToken({ displayName: "a script" })).secret;
}

async function newInvitation(userId: string): Promise<string> {
  const users = server.client(UserService, owner.token);
  return (await users.replaceInvitation({ userId })).invitation?.secret ?? "";
}

/** The code with which a credential is refused; undefined while it is good. */
async function ended(token: string): Promise<Code | undefined> {
  const { codes } = await outcomes([sessions(token).getSession({})]);
  return codes[0];
}

const lines = (userId: string) =>
  server.sql<{ action: string; actor_kind: string; details: unknown; address: string }>(
    `select action, actor_kind, details, address from audit_events
     where target_id = $1 order by audit_event_id`,
    [userId],
  );

test("a person signs in, however the address is capitalised, and learns who they are", async (t) => {
  const person = await newPerson(Role.OPERATOR);
  const email = person.email.toUpperCase();
  const { session } = await strangers().createSession({ email, password: person.password });
  t.is(session?.user?.userId, person.userId);
  const me = await sessions(session?.secret ?? "").getSession({});
  t.is(me.user?.email, person.email);
  t.is(me.workspaceId, owner.workspaceId);
  t.is(me.workspaceName, "Acme");
  t.is(me.role, Role.OPERATOR);
});

test("a wrong password and an unknown address get the same answer", async (t) => {
  const person = await newPerson();
  const answers = [
    { email: person.email, password: "not this one" },
    { email: "nobody@example.com", password: person.password },
  ].map((guess) => refused(strangers().createSession(guess)));
  for (const answer of await Promise.all(answers)) {
    t.is(answer.code, Code.Unauthenticated);
    t.is(answer.reason, Reason.CREDENTIAL_UNKNOWN);
    t.regex(answer.message, /e-mail address or the password is wrong/);
  }
});

test("a NUL character is the caller's mistake, not the server's", async (t) => {
  const refusal = await refused(strangers().createSession({ email: "no\0body", password: "x" }));
  t.is(refusal.code, Code.InvalidArgument);
  t.regex(refusal.message, /NUL/);
});

test("after ten wrong passwords the right one is refused too, whoever asks, with the time to wait", async (t) => {
  const person = await newPerson();
  for (const email of [person.email, "stranger@example.com"]) {
    const guesses = Array.from({ length: 10 }, (_, index) =>
      strangers().createSession({ email, password: `guess number ${index}` }),
    );
    t.deepEqual(await outcomes(guesses), {
      answered: 0,
      codes: Array(10).fill(Code.Unauthenticated),
    });
    const refusal = await refused(
      strangers().createSession({ email: email.toUpperCase(), password: person.password }),
    );
    t.is(refusal.code, Code.ResourceExhausted);
    t.is(refusal.reason, Reason.OVERLOADED);
    t.true((refusal.retryAfterMs ?? 0) > 60_000);
    t.true((refusal.retryAfterMs ?? 0) <= 15 * 60_000);
  }
  // The person's own sessions go on, and an invitation lets them in again.
  t.is(await ended(person.token), undefined);
  const invitation = await newInvitation(person.userId);
  await strangers().acceptInvitation({ invitation, password: NEW_PASSWORD });
  await t.notThrowsAsync(signIn({ email: person.email, password: NEW_PASSWORD }));
});

test("many guesses at once are no more guesses", async (t) => {
  const { email } = await newPerson();
  const guesses = Array.from({ length: 40 }, (_, index) =>
    strangers().createSession({ email, password: `guess number ${index}` }),
  );
  const { codes } = await outcomes(guesses);
  t.is(codes.filter((code) => code === Code.Unauthenticated).length, 10);
  t.is(codes.filter((code) => code === Code.ResourceExhausted).length, 30);
});

test("a right password wipes the slate clean", async (t) => {
  const person = await newPerson();
  for (let round = 0; round < 3; round += 1) {
    const guesses = Array.from({ length: 9 }, () =>
      strangers().createSession({ email: person.email, password: "wrong" }),
    );
    t.is((await outcomes(guesses)).answered, 0);
    t.truthy(await signIn(person));
  }
});

test("a session lasts thirty days and ends when its time is over", async (t) => {
  const person = await newPerson();
  const token = await signIn(person);
  const hash = hashSecret(token);
  const [row] = await server.sql<{ days: number }>(
    `select round(extract(epoch from expires_at - created_at) / 86400, 3)::float as days
     from sessions where secret_hash = $1`,
    [hash],
  );
  t.is(row?.days, 30);
  await server.sql("update sessions set expires_at = wall_clock() where secret_hash = $1", [hash]);
  const refusal = await refused(sessions(token).getSession({}));
  t.is(refusal.code, Code.Unauthenticated);
  t.is(refusal.reason, Reason.CREDENTIAL_EXPIRED);
});

test("signing out ends the session that makes the call, at once, and no other", async (t) => {
  const person = await newPerson();
  const [first, second] = [await signIn(person), await signIn(person)];
  await sessions(first).getSession({});
  await sessions(first).deleteSession({});
  t.is(await ended(first), Code.Unauthenticated);
  t.is(await ended(second), undefined);
});

test("an access token cannot sign out, only be revoked", async (t) => {
  const person = await newPerson();
  const token = await newToken(person.token);
  const refusal = await refused(sessions(token).deleteSession({}));
  t.is(refusal.code, Code.FailedPrecondition);
  t.regex(refusal.message, /revoking/);
  t.is(await ended(token), undefined);
});

test("a new password ends all other sessions and all access tokens, and the old password", async (t) => {
  const person = await newPerson();
  const other = await signIn(person);
  const token = await newToken(person.token);
  const invitation = await newInvitation(person.userId);
  const { email, password } = person;
  t.is(await ended(other), undefined);
  t.is(await ended(token), undefined);

  await sessions(person.token).changePassword({
    currentPassword: password,
    newPassword: NEW_PASSWORD,
  });
  t.is(await ended(person.token), undefined);
  t.is(await ended(other), Code.Unauthenticated);
  t.is(await ended(token), Code.Unauthenticated);
  t.is(
    (await refused(strangers().acceptInvitation({ invitation, password }))).code,
    Code.Unauthenticated,
  );
  t.is((await refused(signIn(person))).code, Code.Unauthenticated);
  t.truthy(await signIn({ email, password: NEW_PASSWORD }));
});

test("a new password takes the current one, and guessing it is limited", async (t) => {
  const person = await newPerson();
  const change = (currentPassword: string, newPassword = NEW_PASSWORD) =>
    refused(sessions(person.token).changePassword({ currentPassword, newPassword }));
  t.is((await change("wrong")).code, Code.PermissionDenied);
  t.is((await change(person.password, person.email)).code, Code.InvalidArgument);
  for (let round = 0; round < 9; round += 1) await change("wrong");
  t.is((await change(person.password)).code, Code.ResourceExhausted);
  t.true((await lines(person.userId)).some((line) => line.action === "password.change_refused"));
});

test("of two new passwords at once, one counts", async (t) => {
  const person = await newPerson();
  const change = (newPassword: string) =>
    sessions(person.token).changePassword({ currentPassword: person.password, newPassword });
  const { answered, codes } = await outcomes([change(NEW_PASSWORD), change("twenty red balloons")]);
  t.is(answered, 1);
  t.true(codes.every((code) => code === Code.Aborted || code === Code.PermissionDenied));
});

test("an invitation works once, even for many at once, and ends what was before", async (t) => {
  const person = await newPerson();
  const token = await newToken(person.token);
  const invitation = await newInvitation(person.userId);
  t.is(await ended(person.token), undefined);
  t.is(await ended(token), undefined);
  t.truthy(await signIn(person), "the old password goes on working until it is accepted");

  const accept = () => strangers().acceptInvitation({ invitation, password: NEW_PASSWORD });
  const { answered, codes } = await outcomes([accept(), accept(), accept(), accept()]);
  t.is(answered, 1);
  t.deepEqual(new Set(codes), new Set([Code.Unauthenticated]));
  t.is(await ended(person.token), Code.Unauthenticated);
  t.is(await ended(token), Code.Unauthenticated);
  t.is((await refused(signIn(person))).code, Code.Unauthenticated);
});

test("an invitation that expired, or is none, is refused", async (t) => {
  const person = await newPerson();
  const invitation = await newInvitation(person.userId);
  const accept = (secret: string, password = NEW_PASSWORD) =>
    refused(strangers().acceptInvitation({ invitation: secret, password }));

  t.is((await accept(invitation, person.email)).code, Code.InvalidArgument);
  await server.sql("update users set invitation_expires_at = wall_clock() where user_id = $1", [
    person.userId,
  ]);
  const late = await accept(invitation);
  t.is(late.code, Code.Unauthenticated);
  t.is(late.reason, Reason.CREDENTIAL_EXPIRED);
  for (const none of ["junk", makeSecret("lmtiv"), person.token]) {
    const refusal = await accept(none);
    t.is(refusal.code, Code.Unauthenticated);
    t.is(refusal.reason, Reason.CREDENTIAL_UNKNOWN);
  }
});

test("somebody who was invited cannot sign in before they accept", async (t) => {
  const email = "invited@example.com";
  await server
    .client(UserService, owner.token)
    .createUser({ email, displayName: "Ines Invited", role: Role.VIEWER });
  t.is((await refused(signIn({ email, password: "whatever it is" }))).code, Code.Unauthenticated);
});

test("the audit log tells of signing in, failing to, signing out and a new password", async (t) => {
  const person = await newPerson();
  await refused(signIn({ email: person.email, password: "a wrong password" }));
  const token = await signIn(person);
  await sessions(token).changePassword({
    currentPassword: person.password,
    newPassword: NEW_PASSWORD,
  });
  await sessions(token).deleteSession({});
  const written = await lines(person.userId);
  t.deepEqual(
    written.map((line) => [line.action, line.actor_kind]),
    [
      ["user.created", "user"],
      ["session.created", "user"],
      ["invitation.accepted", "user"],
      ["session.refused", "nobody"],
      ["session.created", "user"],
      ["password.changed", "user"],
      ["session.deleted", "user"],
    ],
  );
  t.deepEqual(written[3]?.details, { reason: "wrong password" });
  t.true(written.every((line) => line.address === "127.0.0.1" || line.address === "::1"));
  const secrets = [token, person.token, person.password, NEW_PASSWORD, "a wrong password"];
  const text = JSON.stringify(await server.sql("select * from audit_events"));
  t.true(secrets.every((secret) => !text.includes(secret)));
});

test("a session is the same over every protocol", async (t) => {
  const { token } = owner;
  for (const protocol of ["connect", "grpc", "grpc-web"] as const) {
    for (const httpVersion of ["1.1", "2"] as const) {
      for (const json of [false, true]) {
        const transport = server.transport({ token, protocol, httpVersion, json });
        const { user } = await createClient(SessionService, transport).getSession({});
        t.is(user?.userId, owner.userId, `${protocol} ${httpVersion} ${json}`);
      }
    }
  }
});
