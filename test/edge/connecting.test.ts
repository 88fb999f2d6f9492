import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import test, { type ExecutionContext } from "ava";
import { fingerprintOf, makeAgent, type Trust } from "../../edge/connecting.ts";
import { judge } from "../../edge/verdict.ts";
import { ConfigService } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import type { Pair } from "../../lib/certificates/pair.ts";
import { issueCertificate, makeAuthority } from "../../server/certificates/authority.ts";

const NO_TRUST: Trust = { ca: undefined, pins: [] };

/** Answers every call, and keeps what it was sent. */
async function startListener(t: ExecutionContext, pair?: Pair) {
  const heard: string[] = [];
  const answer: http.RequestListener = (request, response) => {
    heard.push(request.headers.authorization ?? "");
    request.resume();
    request.on("end", () => {
      response.setHeader("content-type", "application/proto");
      response.end();
    });
  };
  const server = pair ? https.createServer(pair, answer) : http.createServer(answer);
  let connections = 0;
  server.on(pair ? "secureConnection" : "connection", () => {
    connections += 1;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    heard,
    connections: () => connections,
    url: `${pair ? "https" : "http"}://127.0.0.1:${port}`,
  };
}

const callerOf = (t: ExecutionContext, url: string, trust: Trust) => {
  const agent = makeAgent(url, trust);
  t.teardown(() => agent.destroy());
  const client = createClient(
    ConfigService,
    createConnectTransport({ baseUrl: url, httpVersion: "1.1", nodeOptions: { agent } }),
  );
  return (timeoutMs = 20_000) =>
    client.getConfig({}, { headers: { authorization: "Bearer secret" }, timeoutMs });
};

const pairOf = async () =>
  issueCertificate(await makeAuthority("a host", Date.now()), ["elsewhere"], Date.now());

const pinOf = ({ cert }: Pair) => fingerprintOf(new X509Certificate(cert));

test("a pinned key is trusted whoever signed it and whatever it is called; the connection is kept", async (t) => {
  const pair = await pairOf();
  const listener = await startListener(t, pair);
  const call = callerOf(t, listener.url, { ca: undefined, pins: ["0".repeat(64), pinOf(pair)] });
  await call();
  await call();
  t.is(listener.connections(), 1);
  t.is(listener.heard.length, 2);
});

test("whoever shows another key than the pinned one hears nothing, even with a certificate that is trusted", async (t) => {
  const authority = await makeAuthority("a host", Date.now());
  const pair = await issueCertificate(authority, ["127.0.0.1"], Date.now());
  const listener = await startListener(t, pair);
  const call = callerOf(t, listener.url, { ca: authority.cert, pins: [pinOf(await pairOf())] });
  const error = await t.throwsAsync(call());
  t.regex(String(error), new RegExp(`sha256:${pinOf(pair)}, which is not pinned`));
  t.like(judge(error), { route: "leave", nothingStored: true });
  t.deepEqual(listener.heard, []);
  await t.notThrowsAsync(callerOf(t, listener.url, { ca: authority.cert, pins: [] })());
});

test("without a pin a certificate must be from an authority that is trusted, and of that name", async (t) => {
  const authority = await makeAuthority("a host", Date.now());
  const wrong = await startListener(
    t,
    await issueCertificate(authority, ["elsewhere"], Date.now()),
  );
  const ofAnotherName = await t.throwsAsync(
    callerOf(t, wrong.url, { ca: authority.cert, pins: [] })(),
  );
  t.regex(String(ofAnotherName), /does not match certificate/);
  const unknown = await t.throwsAsync(callerOf(t, wrong.url, NO_TRUST)());
  t.regex(String(unknown), /authority that is not trusted here: trust it with --ca/);
  for (const error of [ofAnotherName, unknown]) {
    t.like(judge(error), { route: "leave", nothingStored: true });
  }
  t.deepEqual(wrong.heard, []);
});

test("where nobody listens, and where nobody takes the handshake up, nothing was sent and the route is left", async (t) => {
  const silent = net.createServer((socket) => {
    socket.on("error", () => {});
  });
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const late = await t.throwsAsync(callerOf(t, `https://127.0.0.1:${port}`, NO_TRUST)());
  t.regex(String(late), /no connection within 5 s/);
  silent.close();
  const refused = await t.throwsAsync(callerOf(t, `http://127.0.0.1:${port}`, NO_TRUST)());
  t.regex(String(refused), /ECONNREFUSED|no connection/);
  const nowhere = await t.throwsAsync(callerOf(t, "https://nowhere.invalid", NO_TRUST)());
  t.regex(String(nowhere), /ENOTFOUND|EAI_AGAIN/);
  for (const error of [late, refused, nowhere]) {
    t.like(judge(error), { action: "retry", route: "leave", nothingStored: true });
  }
});

test("a connection that ends before the answer leaves in doubt what became of the call", async (t) => {
  const rude = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  rude.listen(0, "127.0.0.1");
  await once(rude, "listening");
  t.teardown(() => rude.close());
  const { port } = rude.address() as AddressInfo;
  const error = await t.throwsAsync(callerOf(t, `http://127.0.0.1:${port}`, NO_TRUST)());
  t.is(ConnectError.from(error).code, Code.Aborted);
  t.like(judge(error), { route: "doubt", nothingStored: false });
});

test("a cleartext address is called without encryption, and an answer that never comes is waited for no longer than told", async (t) => {
  const listener = await startListener(t);
  await callerOf(t, listener.url, NO_TRUST)();
  t.deepEqual(listener.heard, ["Bearer secret"]);
  const hole = net.createServer((socket) => {
    socket.on("error", () => {});
  });
  hole.listen(0, "127.0.0.1");
  await once(hole, "listening");
  t.teardown(() => hole.close());
  const { port } = hole.address() as AddressInfo;
  const error = await t.throwsAsync(callerOf(t, `http://127.0.0.1:${port}`, NO_TRUST)(200));
  t.like(judge(error), { route: "leave", nothingStored: false });
});
