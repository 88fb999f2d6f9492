import http2 from "node:http2";
import type { Writable } from "node:stream";
import test from "ava";
import { eventually } from "../../support/eventually.ts";
import {
  END_STREAM,
  FrameType,
  frame,
  framesIn,
  headers,
  PREFACE,
  settings,
  uint32,
} from "../../support/frames.ts";
import { connectRaw } from "../../support/raw.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { startStand } from "../../support/stand.ts";

const PATH = "/lumetry.ingest.v1.MetricsService/WriteMetrics";
const post = (...lines: string[]) => [`POST ${PATH} HTTP/1.1`, "Host: x", ...lines].join("\r\n");

const CALL: [string, string][] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":authority", "x"],
  [":path", PATH],
];

/** Somebody who calls properly all the while: each call must be answered. */
async function callWell(relay: TestRelay): Promise<string> {
  const answer = await fetch(`http://localhost:${relay.port}${PATH}`, {
    method: "POST",
    body: "x",
  });
  return `${answer.status} ${await answer.text()}`;
}

test("who sends a request drop by drop is sent away, before and after a first one", async (t) => {
  await using stand = await startStand();
  await using relay = await startTestRelay({ server: stand, limits: { headersMs: 300 } });
  for (const first of ["", post("Content-Length: 2", "", "hi")]) {
    using connection = await connectRaw(relay.port);
    if (first) connection.write(first);
    if (first) await connection.until(/ok$/);
    const dripping = setInterval(() => connection.write("a"), 50);
    connection.write("POST /");
    t.regex(await connection.closed(), /HTTP\/1.1 408 /);
    clearInterval(dripping);
  }
  t.is(await callWell(relay), "200 ok");
});

test("a body that does not come in time ends its call, at the server too", async (t) => {
  await using stand = await startStand();
  await using relay = await startTestRelay({ server: stand, limits: { bodyMs: 300 } });
  using connection = await connectRaw(relay.port);
  connection.write(post("Content-Length: 20", "", "hi"));
  t.is(await connection.closed(), "");
  await eventually("the server's side is closed", () => stand.sockets.size === 0);
  const session = http2.connect(relay.cleartext.url);
  const stream = session.request({ ":method": "POST", ":path": PATH });
  stream.write("hi");
  await new Promise((resolve) => stream.once("close", resolve));
  t.is(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
  session.destroy();
});

for (const version of ["1.1", "2"] as const) {
  test(`who takes nothing of an answer over HTTP/${version} costs a few buffers, for a while`, async (t) => {
    let taken = 0;
    let isGivenUp = false;
    await using stand = await startStand(({ request, response }) => {
      request.resume();
      response.once("close", () => {
        isGivenUp = true;
      });
      const answer: Writable = "stream" in response ? response.stream : response;
      for (let i = 0; i < 1_000; i += 1) {
        answer.write(Buffer.alloc(64 << 10, "x"), (error) => {
          if (!error) taken += 64 << 10;
        });
      }
    });
    await using relay = await startTestRelay({ server: stand, limits: { stallMs: 1_000 } });
    using connection = await connectRaw(relay.port);
    connection.socket.pause();
    if (version === "1.1") connection.write(post("Content-Length: 0", "", ""));
    else {
      connection.write(PREFACE);
      connection.write(settings());
      connection.write(headers(1, END_STREAM, CALL));
    }
    await eventually("it is given up, at the server too", () => isGivenUp);
    // What the network's own buffers hold is among it.
    t.true(taken < 20 << 20, `${Math.round(taken / 2 ** 20)} MiB`);
    t.is(relay.relay.status().relayedCalls, 1);
  });
}

test("a body beyond what the server takes is cut off, not gathered", async (t) => {
  let received = 0;
  await using stand = await startStand(({ request, response }) => {
    request.on("data", (bytes: Buffer) => {
      received += bytes.length;
    });
    setTimeout(() => response.end("too large"), 300);
  });
  await using relay = await startTestRelay({ server: stand });
  using connection = await connectRaw(relay.port);
  connection.write(post("Transfer-Encoding: chunked", "", ""));
  const chunk = Buffer.alloc(1 << 20, "x");
  for (let i = 0; i < 12 && !connection.isClosed; i += 1) {
    connection.write("100000\r\n");
    connection.write(chunk);
    connection.write("\r\n");
  }
  t.regex(await connection.closed(), /^HTTP\/1.1 200 .*Connection: close.*too large/s);
  t.true(received <= (4 << 20) + (64 << 10), String(received));
});

test("one address has so many connections and so many calls; others are not touched by that", async (t) => {
  await using stand = await startStand(({ request, response }) => {
    if (request.headers["x-wait"] === undefined) response.end("ok");
  });
  const limits = { connectionsPerAddress: 6, callsPerAddress: 3 };
  await using relay = await startTestRelay({ server: stand, limits });
  const connections = await Promise.all(Array.from({ length: 6 }, () => connectRaw(relay.port)));
  for (const connection of connections)
    connection.write(post("X-Wait: 1", "Content-Length: 0", "", ""));
  await eventually("three are turned away", () => relay.relay.status().refusedCalls === 3);
  t.is(stand.asked.length, 3);
  using more = await connectRaw(relay.port);
  await more.closed();
  t.is(more.received, "");

  const other = await fetchFrom("127.0.0.2", relay.port);
  t.regex(other, /^HTTP\/1.1 200 .*ok$/s);
  for (const connection of connections) connection[Symbol.dispose]();
  await eventually("the places are free again", async () =>
    (await fetchFrom("127.0.0.1", relay.port)).includes("200"),
  );
});

async function fetchFrom(localAddress: string, port: number): Promise<string> {
  using connection = await connectRaw(port, { localAddress });
  connection.write(post("Connection: close", "Content-Length: 0", "", ""));
  return await connection.closed();
}

test("streams that are opened and reset by the thousand end their session, and nobody else's calls", async (t) => {
  await using stand = await startStand();
  await using relay = await startTestRelay({ server: stand });
  using connection = await connectRaw(relay.port);
  connection.write(PREFACE);
  connection.write(settings());
  for (let id = 1; id < 8_000 && !connection.isClosed; id += 2) {
    connection.write(headers(id, 0, CALL));
    connection.write(frame(FrameType.RST_STREAM, 0, id, uint32(8)));
    if (id % 500 === 1) t.is(await callWell(relay), "200 ok");
  }
  await connection.closed();
  t.true(framesIn(connection.received).some(({ type }) => type === FrameType.GOAWAY));
  t.is(await callWell(relay), "200 ok");
  await eventually("no call is left", async () => relay.relay.status().connections <= 2);
});

test("over HTTP/2, headers that are too large, tunnels and other paths are refused in words", async (t) => {
  await using stand = await startStand();
  await using relay = await startTestRelay({ server: stand });
  const ask = async (fields: http2.OutgoingHttpHeaders) => {
    const session = http2.connect(relay.cleartext.url);
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": PATH, ...fields });
    stream.on("error", () => {});
    let status = 0;
    stream.on("response", (received) => {
      status = Number(received[":status"]);
    });
    stream.resume();
    stream.end();
    await new Promise((resolve) => stream.once("close", resolve));
    session.destroy();
    return status;
  };
  t.is(await ask({}), 200);
  t.is(await ask({ "x-large": "y".repeat(16_500) }), 431);
  t.is(await ask({ ":path": "/lumetry.v1.ZoneService/ListZones" }), 404);
  t.is(await ask({ ":path": `/${PATH}` }), 404);
  t.is(await ask({ ":method": "DELETE" }), 405);
  t.is(stand.asked.length, 1);
});

test("headers that should not be repeated go to the server as they are", async (t) => {
  await using stand = await startStand();
  await using relay = await startTestRelay({ server: stand });
  const lax: object = { strictSingleValueFields: false };
  const session = http2.connect(relay.cleartext.url, lax);
  const twice = [":method", "POST", ":scheme", "http", ":authority", "x", ":path", PATH];
  const stream = session.request([...twice, "authorization", "a", "authorization", "b"]);
  stream.end();
  const status = await new Promise((resolve) =>
    stream.once("response", (received) => resolve(received[":status"])),
  );
  t.is(status, 200);
  session.destroy();
});
