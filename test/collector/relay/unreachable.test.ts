import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, createClient } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { ConfigService } from "../../../gen/lumetry/edge/v1/config_service_pb.js";
import { MetricsService } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { FrameType, frame, headers, PREFACE, settings, uint32 } from "../../support/frames.ts";
import { findFreePort } from "../../support/free-port.ts";
import { connectRaw } from "../../support/raw.ts";
import { refused } from "../../support/refusal.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { type Stand, startStand } from "../../support/stand.ts";
import type { TransportOptions } from "../../support/transports.ts";

const WAYS: TransportOptions[] = [
  { protocol: "connect", httpVersion: "1.1" },
  { protocol: "connect", httpVersion: "2", json: true },
  { protocol: "grpc-web", httpVersion: "1.1" },
  { protocol: "grpc-web", httpVersion: "2" },
  { protocol: "grpc" },
];

/** The refusals of one call by each protocol and version, over TLS and without. */
async function refusals({ secure, cleartext }: TestRelay) {
  const calls = [secure, cleartext].flatMap((callee) =>
    WAYS.map((way) => refused(createClient(ConfigService, callee.transport(way)).getConfig({}))),
  );
  return await Promise.all(calls);
}

const PATH = "/lumetry.ingest.v1.MetricsService/WriteMetrics";
const post = (...lines: string[]) => [`POST ${PATH} HTTP/1.1`, "Host: x", ...lines].join("\r\n");

test("while nothing listens at the server's address, agents are told so in their protocol", async (t) => {
  const port = await findFreePort();
  await using relay = await startTestRelay({ server: { url: `http://127.0.0.1:${port}` } });
  // The first attempt of each version, and what is said while no further attempt is made.
  for (const refusal of [...(await refusals(relay)), ...(await refusals(relay))]) {
    t.is(refusal.code, Code.Unavailable);
    t.is(refusal.reason, Reason.UPSTREAM_UNREACHABLE);
    t.regex(refusal.message, /cannot reach the server: nothing listens at its address/);
  }
  t.is(relay.relay.status().relayedCalls, 0);
  t.is(relay.relay.status().refusedCalls, 20);

  await using _stand = await startStand(undefined, port);
  await eventually("calls go through again", async () => {
    const answer = await fetch(`http://localhost:${relay.port}${PATH}`, { method: "POST" });
    return (await answer.text()) === "ok";
  });
});

test("a collector that has no identity says that it cannot pass anything on", async (t) => {
  await using stand = await startStand();
  await using relay = await startTestRelay({ server: stand, credential: () => undefined });
  for (const { code, reason, message } of await refusals(relay)) {
    t.is(code, Code.Unavailable);
    t.is(reason, Reason.UPSTREAM_UNREACHABLE);
    t.regex(message, /no identity yet/);
  }
  t.deepEqual(stand.asked, []);
});

test("a server that takes calls and does not answer is given up in time", async (t) => {
  await using stand = await startStand(() => {});
  await using relay = await startTestRelay({ server: stand, limits: { answerMs: 300 } });
  for (const { code, reason, message } of await refusals(relay)) {
    t.is(code, Code.Unavailable);
    t.is(reason, Reason.UPSTREAM_UNREACHABLE);
    t.regex(message, /has not answered/);
  }
  await eventually("the server's side is given up too", () => stand.sockets.size <= 1);
});

test("a server that breaks off is told from one that answers, and a half answer is never a whole one", async (t) => {
  await using stand: Stand = await startStand(({ request, response }) => {
    request.resume();
    const breakOff = () => {
      for (const socket of stand.sockets) socket.destroy();
    };
    if (request.url?.endsWith("GetConfig")) return breakOff();
    response.setHeader("content-length", "100");
    if ("stream" in response) response.stream.write("half");
    else response.write("half");
    setTimeout(breakOff, 20);
  });
  await using relay = await startTestRelay({ server: stand });
  for (const { reason, message } of await refusals(relay)) {
    t.is(reason, Reason.UPSTREAM_UNREACHABLE);
    t.regex(message, /the connection broke/);
  }
  using connection = await connectRaw(relay.port);
  connection.write(post("Content-Length: 2", "", "hi"));
  const answer = await connection.closed();
  t.regex(answer, /^HTTP\/1.1 200 .*content-length: 100.*half$/s);
  const write = createClient(MetricsService, relay.secure.transport({ protocol: "grpc" }));
  await t.throwsAsync(write.writeMetrics({}));
});

for (const version of ["1.1", "2"] as const) {
  test(`an agent that gives up over HTTP/${version} is given up on at the server, and its place is free`, async (t) => {
    let given = 0;
    await using stand = await startStand(({ response }) => {
      response.once("close", () => {
        given += 1;
      });
    });
    await using relay = await startTestRelay({ server: stand, limits: { callsPerAddress: 2 } });
    const config = createClient(ConfigService, relay.secure.transport({ httpVersion: version }));
    for (let round = 1; round <= 3; round += 1) {
      const giveUp = new AbortController();
      const calls = [1, 2].map(() => refused(config.getConfig({}, { signal: giveUp.signal })));
      await eventually("the server is asked", () => stand.asked.length === 2 * round);
      const { reason, retryAfterMs } = await refused(config.getConfig({}));
      t.is(reason, Reason.RELAY_BUSY);
      t.is(retryAfterMs, 1_000);
      giveUp.abort();
      await Promise.all(calls);
      await eventually("the server sees it", () => given === 2 * round);
    }
  });
}

test("a server that goes away takes no call with it: what runs ends, what comes finds another session", async (t) => {
  let answer: (() => void) | undefined;
  await using stand = await startStand(({ request, response }) => {
    request.resume();
    if (answer) response.end("at once");
    answer ??= () => response.end("late");
  });
  await using relay = await startTestRelay({ server: stand });
  const config = createClient(ConfigService, relay.secure.transport({ protocol: "grpc-web" }));
  const running = refused(config.getConfig({}));
  await eventually("the server is asked", () => stand.asked.length === 1);
  for (const session of stand.sessions) session.close();
  await sleep(50);
  const next = await refused(config.getConfig({}));
  t.not(next.code, Code.Unavailable); // "at once" is no message, but it is the server's
  answer?.();
  t.not((await running).code, Code.Unavailable);
  t.is(relay.relay.status().relayedCalls, 2);
});

test("over HTTP/2 too, what breaks off halfway looks whole to nobody: not a request to the server, nor an answer to the agent", async (t) => {
  const seen: string[] = [];
  await using stand = await startStand(({ request, response }) => {
    request.on("data", (bytes) => seen.push(String(bytes)));
    request.on("aborted", () => seen.push("aborted"));
    request.on("end", () => {
      if (!("stream" in request) || !request.stream.aborted) seen.push("whole");
      if (!("stream" in response) || response.stream.destroyed) return;
      response.stream.write("half");
      setTimeout(() => {
        for (const socket of stand.sockets) socket.destroy();
      }, 50);
    });
  });
  await using relay = await startTestRelay({ server: stand });
  // By hand: a client of Node's ends a request before it resets it.
  using connection = await connectRaw(relay.port);
  connection.write(PREFACE);
  connection.write(settings());
  const call: [string, string][] = [
    [":method", "POST"],
    [":scheme", "http"],
    [":authority", "x"],
    [":path", PATH],
  ];
  connection.write(headers(1, 0, call));
  connection.write(frame(FrameType.DATA, 0, 1, Buffer.from("some")));
  await eventually("it has come", () => seen.includes("some"));
  connection.write(frame(FrameType.RST_STREAM, 0, 1, uint32(http2.constants.NGHTTP2_CANCEL)));
  await eventually("it was given up", () => seen.includes("aborted"));
  t.false(seen.includes("whole"));

  const session = http2.connect(relay.cleartext.url);
  const answered = session.request({ ":method": "POST", ":path": PATH });
  answered.on("error", () => {});
  answered.resume();
  answered.end("all");
  await new Promise((resolve) => answered.once("close", resolve));
  t.true(seen.includes("whole"));
  t.not(answered.rstCode, http2.constants.NGHTTP2_NO_ERROR);
  session.destroy();
});

test("calls for which there is no connection yet wait for one, in order", async (t) => {
  const answers: (() => void)[] = [];
  await using stand = await startStand(({ request, response }) => {
    request.resume();
    answers.push(() => response.end(String(request.url)));
  });
  const limits = { upstreamConnections: 2, upstreamIdle: 1 };
  await using relay = await startTestRelay({ server: stand, limits });
  const call = async (number: number) => {
    using connection = await connectRaw(relay.port);
    const [head = ""] = post("Connection: close", "Content-Length: 9").split(" HTTP");
    connection.write(
      `${head}?${number} HTTP/1.1\r\nConnection: close\r\nContent-Length: 9\r\n\r\nsome `,
    );
    connection.write("body");
    return (await connection.closed()).split("\r\n\r\n")[1];
  };
  const calls = Array.from({ length: 7 }, (_, number) => call(number));
  const given: Promise<string | undefined>[] = calls;
  for (let answered = 0; answered < 7; answered += 1) {
    await eventually("another one is asked", () => answers.length > answered);
    t.true(stand.sockets.size <= 2);
    answers[answered]?.();
  }
  t.deepEqual(
    (await Promise.all(given)).map((path) => path?.split("?")[1]),
    ["0", "1", "2", "3", "4", "5", "6"],
  );
});

test("of many calls that come at once, those that wait for a connection are told too that none can be made", async (t) => {
  const shaking = new Set<net.Socket>();
  let isBroken = false;
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    if (isBroken) socket.destroy();
    else shaking.add(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as net.AddressInfo;
  await using relay = await startTestRelay({ server: { url: `https://127.0.0.1:${port}` } });
  const calls = Array.from({ length: 30 }, async () => {
    using connection = await connectRaw(relay.port);
    connection.write(post("Connection: close", "Content-Length: 2", "", "hi"));
    return await connection.closed();
  });
  await eventually("all calls have come", () => relay.relay.status().connections === 30);
  await eventually("a few connections are being made", () => shaking.size === 8);
  isBroken = true;
  for (const socket of shaking) socket.destroy();
  for (const answer of await Promise.all(calls)) {
    t.regex(answer, /^HTTP\/1.1 503 .*cannot reach the server: /s);
  }
  server.close();
});

test("connections that the server has closed are not used again", async (t) => {
  await using stand = await startStand();
  await using relay = await startTestRelay({ server: stand });
  const url = `http://localhost:${relay.port}${PATH}`;
  for (let round = 0; round < 5; round += 1) {
    const answers = await Promise.all(
      [1, 2, 3].map(async () => (await fetch(url, { method: "POST", body: "x" })).status),
    );
    t.deepEqual(answers, [200, 200, 200]);
    for (const socket of stand.sockets) socket.destroy();
    await eventually("they are gone", () => stand.sockets.size === 0);
    await sleep(20);
  }
});

test("a relay that stops lets running calls end and turns new ones away", async (t) => {
  let answer = () => {};
  await using stand = await startStand(({ request, response }) => {
    request.resume();
    answer = () => response.end("done");
  });
  const relay = await startTestRelay({ server: stand });
  using idle = await connectRaw(relay.port);
  idle.write(`POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
  await idle.until(/404/);
  using running = await connectRaw(relay.port);
  running.write(post("Content-Length: 2", "", "hi"));
  await eventually("the server is asked", () => stand.asked.length === 1);
  const stopped = relay.relay[Symbol.asyncDispose]();
  await idle.closed();
  await t.throwsAsync(fetch(`http://localhost:${relay.port}${PATH}`, { method: "POST" }));
  answer();
  t.regex(await running.closed(), /^HTTP\/1.1 200 .*Connection: close.*done/s);
  await stopped;
  await relay[Symbol.asyncDispose]();
});
