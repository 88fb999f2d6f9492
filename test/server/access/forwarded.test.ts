import { once } from "node:events";
import https from "node:https";
import { text } from "node:stream/consumers";
import test from "ava";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { readSettings } from "../../../lib/settings.ts";
import { clientAddress, readNetworks } from "../../../server/access/forwarded.ts";
import { serverSettings } from "../../../server/settings.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";

const trusted = readNetworks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);
const addressOf = (peer: string, forwardedFor?: string) =>
  clientAddress(peer, forwardedFor, trusted);

test("only what a trusted proxy has added is believed", (t) => {
  t.is(addressOf("203.0.113.9"), "203.0.113.9");
  t.is(addressOf("203.0.113.9", "198.51.100.1"), "203.0.113.9");
  t.is(addressOf("10.1.1.1", "198.51.100.1"), "198.51.100.1");
  t.is(addressOf("10.1.1.1", "1.2.3.4, 198.51.100.1"), "198.51.100.1");
  t.is(addressOf("10.1.1.1", "1.2.3.4, 198.51.100.1, 10.2.2.2, 192.0.2.7"), "198.51.100.1");
  t.is(addressOf("2001:db8::1", "2001:4860::1"), "2001:4860::1");
});

test("ports and brackets are taken off; what is no address ends the search", (t) => {
  t.is(addressOf("10.1.1.1", "198.51.100.1:4711"), "198.51.100.1");
  t.is(addressOf("10.1.1.1", "[2001:4860::1]:443"), "2001:4860::1");
  t.is(addressOf("10.1.1.1", "::ffff:198.51.100.1"), "198.51.100.1");
  for (const junk of ["", "unknown", "_hidden", "' or 1=1", "1.2.3.4.5", ","]) {
    t.is(addressOf("10.1.1.1", junk), "10.1.1.1");
  }
});

test("a network that is none is refused when the settings are read", (t) => {
  for (const trustedProxies of ["10.0.0.0/33", "proxy.internal", "10.0.0.0/x", "::1/129"]) {
    t.throws(() => readSettings(serverSettings, { flags: { trustedProxies } }), {
      message: /trusted-proxies.*is no network/,
    });
  }
});

/** Posts something, as a proxy would for somebody; answers with the status. */
async function post(
  server: TestServer,
  path: string,
  headers: { "content-type": string; "x-forwarded-for": string },
  body = "",
): Promise<number | undefined> {
  const request = https.request(server.url + path, { method: "POST", ca: server.ca, headers });
  request.end(body);
  const [response] = await once(request, "response");
  await text(response);
  return response.statusCode;
}

/** Completes nothing: a wrong sign-in leaves a line with the address in the audit log. */
const signInWrongly = (server: TestServer, email: string, forwardedFor: string) =>
  post(
    server,
    "/lumetry.v1.SessionService/CreateSession",
    { "content-type": "application/json", "x-forwarded-for": forwardedFor },
    JSON.stringify({ email, password: "certainly wrong" }),
  );

test("clients behind a trusted proxy are told apart, and nobody else can pretend to be behind one", async (t) => {
  for (const [trustedProxies, expected] of [
    [["127.0.0.0/8"], "198.51.100.77"],
    [[], "127.0.0.1"],
  ] as const) {
    await using server = await startTestServer({ trustedProxies: [...trustedProxies] });
    const owner = await setUp(server);
    await signInWrongly(server, owner.email, "198.51.100.77");
    const { auditEvents } = await server.client(AuditService, owner.token).listAuditEvents({});
    t.is(auditEvents[0]?.address, expected);
  }
});

test("so are strangers who write points: only the busy one is told to wait", async (t) => {
  await using server = await startTestServer({
    trustedProxies: ["127.0.0.0/8"],
    anonymousCallsPerSecond: 0.34,
  });
  const write = (forwardedFor: string) =>
    post(server, "/lumetry.ingest.v1.MetricsService/WriteMetrics", {
      "content-type": "application/proto",
      "x-forwarded-for": forwardedFor,
    });
  let status = await write("198.51.100.77");
  for (let calls = 1; status === 401 && calls < 50; calls += 1) {
    status = await write("198.51.100.77");
  }
  t.is(status, 429);
  t.is(await write("203.0.113.1"), 401);
});
