/** A browser's session, as plain HTTP shows it. */
import test, { type ExecutionContext } from "ava";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { UserService } from "../../../gen/lumetry/v1/user_service_pb.js";
import { send } from "../../support/post.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const NAME = "__Host-lumetry-session";
/** What a browser adds to a call that a page of this server makes. */
const OWN = { "sec-fetch-site": "same-origin", "lumetry-credential": "cookie" };

const post = (path: string, headers: Record<string, string>, body: object = {}) =>
  send(
    server,
    { ":method": "POST", ":path": path, "content-type": "application/json", ...headers },
    JSON.stringify(body),
  );
const SESSION = "/lumetry.v1.SessionService";
const getSession = (headers: Record<string, string>) => post(`${SESSION}/GetSession`, headers);

const readCookie = (headers: { "set-cookie"?: string[] | undefined }) =>
  headers["set-cookie"]?.find((each) => each.startsWith(NAME)) ?? "";

/** Signs in as a page does; the cookie as it is sent back. */
async function signIn(t: ExecutionContext, headers: Record<string, string> = OWN): Promise<string> {
  const { email, password } = owner;
  const answer = await post(`${SESSION}/CreateSession`, headers, {
    email,
    password,
    asCookie: true,
  });
  t.is(answer.status, 200, answer.text);
  return readCookie(answer.headers).split(";")[0] ?? "";
}

test("a page's session is in a cookie that no script reads, and in no message", async (t) => {
  const { email, password } = owner;
  const { headers, text } = await post(`${SESSION}/CreateSession`, OWN, {
    email,
    password,
    asCookie: true,
  });
  const cookie = readCookie(headers);
  t.regex(cookie, /^__Host-lumetry-session=lmtss_\w+;/);
  const attributes = cookie.split(";").map((part) => part.trim());
  for (const wanted of ["Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Max-Age=2592000"]) {
    t.true(attributes.includes(wanted), wanted);
  }
  t.false(attributes.some((part) => part.startsWith("Domain")));
  t.notRegex(text, /lmtss_/);
  t.is(JSON.parse(text).session.user.email, email);
});

test("whoever does not ask for a cookie gets none", async (t) => {
  const { email, password } = owner;
  const { headers, text } = await post(`${SESSION}/CreateSession`, {}, { email, password });
  t.is(headers["set-cookie"], undefined);
  t.regex(text, /lmtss_/);
});

test("the cookie is a person's session for calls of this server's own pages", async (t) => {
  const cookie = await signIn(t);
  const { status, text } = await getSession({ ...OWN, cookie });
  t.is(status, 200);
  t.is(JSON.parse(text).user.userId, owner.userId);
  const among = await getSession({ ...OWN, cookie: `theme=dark; ${cookie}; other=1` });
  t.is(among.status, 200);
});

test("without the header that only pages of ours can send, the cookie is not even looked at", async (t) => {
  const cookie = await signIn(t);
  const { status, text } = await getSession({ cookie, "sec-fetch-site": "same-origin" });
  t.is(status, 401);
  t.regex(text, /send a credential/);
});

for (const site of ["cross-site", "same-site", "none"]) {
  test(`a call that a browser says is ${site} is refused, reads and changes alike`, async (t) => {
    const cookie = await signIn(t);
    const headers = { ...OWN, "sec-fetch-site": site, cookie, origin: server.url };
    for (const path of [
      `${SESSION}/GetSession`,
      `${SESSION}/DeleteSession`,
      "/lumetry.v1.ZoneService/CreateZone",
    ]) {
      const { status, text } = await post(path, headers, { displayName: "evil" });
      t.is(status, 403, path);
      t.regex(text, /pages of this server only/);
    }
    t.is((await getSession({ ...OWN, cookie })).status, 200, "and the session lives on");
  });
}

test("where a browser says no more than the origin, that has to be ours", async (t) => {
  const cookie = await signIn(t);
  const { host } = new URL(server.url);
  const call = (origin?: string) =>
    getSession({
      "lumetry-credential": "cookie",
      cookie,
      ":authority": host,
      ...(origin && { origin }),
    });
  t.is((await call(server.url)).status, 200);
  t.is((await call("https://evil.example.com")).status, 403);
  t.is((await call("null")).status, 403);
  t.is((await call()).status, 403);
});

test("nobody is signed in by another site's page", async (t) => {
  const { email, password } = owner;
  const { status, headers } = await post(
    `${SESSION}/CreateSession`,
    { "sec-fetch-site": "cross-site" },
    { email, password, asCookie: true },
  );
  t.is(status, 403);
  t.is(headers["set-cookie"], undefined);
});

test("a form of another site cannot make a call at all", async (t) => {
  const cookie = await signIn(t);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    const { status } = await post(`${SESSION}/DeleteSession`, { cookie, "content-type": type });
    t.is(status, 415, type);
  }
  const { headers } = await send(server, {
    ":method": "OPTIONS",
    ":path": `${SESSION}/GetSession`,
    origin: "https://evil.example.com",
    "access-control-request-method": "POST",
    "access-control-request-headers": "lumetry-credential",
  });
  t.is(headers["access-control-allow-origin"], undefined);
});

test("a call brings a header or the cookie, never both", async (t) => {
  const cookie = await signIn(t);
  const authorization = `Bearer ${owner.token}`;
  const both = await getSession({ ...OWN, cookie, authorization });
  t.is(both.status, 400);
  t.regex(both.text, /one credential/);
  // A browser sends its cookies whether a script wants it or not: without the header they are nothing.
  t.is((await getSession({ cookie, authorization })).status, 200);
});

test("only a session counts in the cookie", async (t) => {
  const { secret } = await server
    .client(IngestionKeyService, owner.token)
    .createIngestionKey({ displayName: "not for cookies" });
  for (const value of [secret, "rubbish", "lmtss_rubbish"]) {
    const { status, text } = await getSession({ ...OWN, cookie: `${NAME}=${value}` });
    t.is(status, 401, value);
    t.regex(text, /sign in again/);
  }
});

test("signing out ends the session and takes the cookie back", async (t) => {
  const cookie = await signIn(t);
  const { status, headers } = await post(`${SESSION}/DeleteSession`, { ...OWN, cookie });
  t.is(status, 200);
  t.regex(readCookie(headers), /^__Host-lumetry-session=; Max-Age=0; Path=\/; Secure; HttpOnly/);
  t.is((await getSession({ ...OWN, cookie })).status, 401);
});

test("an invitation is accepted into a cookie, too, and audited like any other", async (t) => {
  const { invitation } = await server
    .client(UserService, owner.token)
    .createUser({ email: "page@example.com", displayName: "Paige", role: 1 });
  const answer = await post(`${SESSION}/AcceptInvitation`, OWN, {
    invitation: invitation?.secret,
    password: "three quiet mornings",
    asCookie: true,
  });
  t.is(answer.status, 200, answer.text);
  const cookie = readCookie(answer.headers).split(";")[0] ?? "";
  t.is((await getSession({ ...OWN, cookie })).status, 200);
  const { auditEvents } = await server.client(AuditService, owner.token).listAuditEvents({});
  t.true(auditEvents.some(({ action }) => action === "invitation.accepted"));
});

test("the first person of a fresh server is signed in by a cookie", async (t) => {
  await using fresh = await startTestServer();
  const { headers, status } = await send(
    fresh,
    {
      ":method": "POST",
      ":path": "/lumetry.v1.SetupService/CompleteSetup",
      "content-type": "application/json",
      ...OWN,
    },
    JSON.stringify({
      setupSecret: fresh.setupSecret,
      workspaceName: "Acme",
      email: "owner@example.com",
      displayName: "Olivia",
      password: "a long walk by the sea",
      asCookie: true,
    }),
  );
  t.is(status, 200);
  t.regex(readCookie(headers), /lmtss_/);
});
