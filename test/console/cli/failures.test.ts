import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import net from "node:net";
import path from "node:path";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { as, openShell, type Shell } from "../../support/cli.ts";
import {
  addPerson,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

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

const withToken = (token: string, more: Record<string, string> = {}) => ({
  environment: { ...as(server, token), ...more },
});

/** A port on which nothing listens. */
async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

test("nobody is signed in, and no server is known", async (t) => {
  const nowhere = await shell.lumetry(["collectors", "list"]);
  t.is(nowhere.code, 3);
  t.is(nowhere.stdout, "");
  t.regex(nowhere.stderr, /^lumetry: No server is known here\.\nSign in with "lumetry login/);
  const nobody = await shell.lumetry(["collectors", "list"], { environment: as(server) });
  t.is(nobody.code, 3);
  t.regex(nobody.stderr, /not signed in to https:\S+\.\nSign in with .*or set LUMETRY_TOKEN/);
});

test("a server that is down", async (t) => {
  const url = `https://127.0.0.1:${await freePort()}`;
  const { code, stderr } = await shell.lumetry(
    ["whoami"],
    withToken(owner.token, { LUMETRY_SERVER: url }),
  );
  t.is(code, 5);
  t.is(stderr.split("\n")[0], `lumetry: Nothing listens at ${url}.`);
  t.regex(stderr, /Is the server running\?/);
});

test("a certificate that is not trusted, for want of a CA or for a wrong one", async (t) => {
  await using other = await startTestServer();
  const without = await shell.lumetry(["whoami"], withToken(owner.token, { LUMETRY_CA: "" }));
  t.is(without.code, 5);
  t.regex(without.stderr, /not signed by an authority that this machine trusts[\s\S]*--ca FILE/);
  const wrong = await shell.lumetry(["whoami", "--ca", other.caFile], withToken(owner.token));
  t.is(wrong.code, 5);
  t.regex(wrong.stderr, /is not signed by the authority in \S+ca\.crt\./);
  const none = path.join(shell.home, "none.pem");
  await writeFile(none, "hello");
  const empty = await shell.lumetry(["whoami", "--ca", none], withToken(owner.token));
  t.is(empty.code, 2);
  t.regex(empty.stderr, /holds no certificate in PEM form/);
});

test("a viewer who would like to change something", async (t) => {
  const viewer = await addPerson(server, owner.token, Role.VIEWER);
  const { code, stderr } = await shell.lumetry(
    ["zones", "create", "Lyon"],
    withToken(viewer.token),
  );
  t.is(code, 4);
  t.regex(
    stderr,
    /takes the role admin; yours is viewer\.\nSee what you may do with "lumetry whoami"/,
  );
});

test("a token that is none", async (t) => {
  const { code, stderr } = await shell.lumetry(["whoami"], withToken("lmtut_nonsense"));
  t.is(code, 3);
  t.regex(stderr, /Sign in with "lumetry login"/);
});

test("something that answers but is not Lumetry", async (t) => {
  const web = http.createServer((_request, response) => response.end("<html>hello</html>"));
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  const { port } = web.address() as AddressInfo;
  const { code, stderr } = await shell.lumetry(
    ["whoami"],
    withToken(owner.token, { LUMETRY_SERVER: `http://127.0.0.1:${port}` }),
  );
  const spokenTls = await shell.lumetry(
    ["whoami"],
    withToken(owner.token, { LUMETRY_SERVER: `https://127.0.0.1:${port}` }),
  );
  web.close();
  t.is(code, 5);
  t.regex(stderr, /is not a Lumetry server/);
  t.is(spokenTls.code, 5);
  t.regex(spokenTls.stderr, /does not speak TLS/);
});

test("what cannot be typed on a command line is refused by the server in words", async (t) => {
  const { code, stderr } = await shell.lumetry(
    ["zones", "create", "Lyon", "--allow", "everything"],
    withToken(owner.token),
  );
  t.is(code, 1);
  t.regex(stderr, /allowed_networks/);
  t.notRegex(stderr, /\n {4}at /);
});
