import { randomUUID } from "node:crypto";
import test from "ava";
import type { Limits } from "../../../lib/http/limits.ts";
import { silentLog } from "../../../lib/log.ts";
import { answer } from "../../../server/http/answer.ts";
import { type Handler, type Listener, listen } from "../../../server/http.ts";
import { eventually } from "../../support/eventually.ts";
import {
  END_HEADERS,
  END_STREAM,
  FrameType,
  frame,
  framesIn,
  headerBlock,
  headers,
  PREFACE,
  settings,
} from "../../support/frames.ts";
import { connectRaw, type RawConnection } from "../../support/raw.ts";

/** Answers with what it was sent; "/much" with more than any socket takes at once. */
const handler: Handler = (exchange) => {
  const { request, response } = exchange;
  if (request.url === "/much") return answer(response, 200, "x".repeat(64 << 20));
  const read = async () => {
    let length = 0;
    for await (const chunk of exchange.body(1 << 20)) length += chunk.length;
    answer(response, 200, `read ${length}`);
  };
  read().catch((error: Error) => answer(response, 504, error.message));
};

const QUICK: Partial<Limits> = { headersMs: 1_000, bodyMs: 500, stallMs: 500, lingerMs: 100 };

async function start(limits: Partial<Limits> = {}): Promise<Listener> {
  return listen({
    at: { host: "127.0.0.1", port: 0 },
    tls: undefined,
    log: silentLog,
    handler,
    limits: { ...QUICK, ...limits },
  });
}

/** Writes byte by byte for as long as the other end listens. */
async function dribble(connection: RawConnection, bytes: Uint8Array): Promise<void> {
  for (let i = 0; !connection.isClosed; i += 1) {
    if (i < bytes.length) connection.write(bytes.subarray(i, i + 1));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const GET: [string, string][] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "here"],
];
const POST: [string, string][] = [[":method", "POST"], ...GET.slice(1)];
const endless = Buffer.alloc(1_000, "a");

test("a connection on which nothing comes is closed", async (t) => {
  await using listener = await start();
  using connection = await connectRaw(listener.port);
  t.is(await connection.closed(), "");
});

test("HTTP/1: headers that dribble in are closed on, with a word", async (t) => {
  await using listener = await start();
  using first = await connectRaw(listener.port);
  first.write("GET / HTTP/1.1\r\nHost: here\r\nX: ");
  await dribble(first, endless);
  t.regex(first.received, /^(HTTP\/1.1 408 .*headers did not arrive|$)/s);
});

test("HTTP/1: so they are on a connection that was used before", async (t) => {
  await using listener = await start();
  using connection = await connectRaw(listener.port);
  connection.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  await connection.until(/read 0/);
  connection.write("GET / HTTP/1.1\r\nHost: here\r\nX: ");
  await dribble(connection, endless);
  t.regex(connection.received, /HTTP\/1.1 200 .*HTTP\/1.1 408 .*headers did not arrive/s);
});

test("HTTP/2: a session whose first headers dribble in is closed", async (t) => {
  await using listener = await start();
  using connection = await connectRaw(listener.port);
  connection.write(Buffer.concat([PREFACE, settings()]));
  const block = headerBlock([...GET, ["x", "y".repeat(1_000)]]);
  await dribble(connection, frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, block));
  t.false(framesIn(connection.received).some(({ type }) => type === FrameType.HEADERS));
});

test("HTTP/2: so is one that was used before, also between continuations", async (t) => {
  await using listener = await start();
  using connection = await connectRaw(listener.port);
  connection.write(Buffer.concat([PREFACE, settings(), headers(1, END_STREAM, GET)]));
  const isAnswered = () =>
    framesIn(connection.received).some(({ type }) => type === FrameType.DATA);
  while (!isAnswered()) await connection.changed();
  connection.write(frame(FrameType.HEADERS, END_STREAM, 3, headerBlock(GET)));
  const pieces = Array.from({ length: 100 }, () =>
    frame(FrameType.CONTINUATION, 0, 3, headerBlock([["x", "y"]])),
  );
  await dribble(connection, Buffer.concat(pieces));
  t.false(framesIn(connection.received).some(({ stream }) => stream === 3));
});

test("HTTP/2: a session without requests is kept while its client pings", async (t) => {
  await using listener = await start({ idleMs: 3_000 });
  using connection = await connectRaw(listener.port);
  connection.write(Buffer.concat([PREFACE, settings(), headers(1, END_STREAM, GET)]));
  const pings = () => framesIn(connection.received).filter(({ type }) => type === FrameType.PING);
  while (pings().length < 6 && !connection.isClosed) {
    connection.write(frame(FrameType.PING, 0, 0, Buffer.from(randomUUID().slice(0, 8))));
    await new Promise((resolve) => setTimeout(resolve, 700));
  }
  t.is(pings().length, 6);
  await connection.closed(); // and closed once it stops
  t.true(framesIn(connection.received).some(({ type }) => type === FrameType.GOAWAY));
});

test("HTTP/1: a connection without requests is closed in the end", async (t) => {
  await using listener = await start({ idleMs: 500 });
  using connection = await connectRaw(listener.port);
  connection.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  t.regex(await connection.closed(), /read 0/);
});

test("HTTP/1: a body that does not arrive in time is not waited for, and its sender told", async (t) => {
  await using listener = await start();
  using connection = await connectRaw(listener.port);
  connection.write("POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n");
  await dribble(connection, endless.subarray(0, 900));
  t.regex(connection.received, /^HTTP\/1.1 504 .*body did not arrive within 0.5 s$/s);
});

test("HTTP/2: so it is there, and the session goes on", async (t) => {
  await using listener = await start();
  using connection = await connectRaw(listener.port);
  connection.write(Buffer.concat([PREFACE, settings(), headers(1, 0, POST)]));
  connection.write(frame(FrameType.DATA, 0, 1, Buffer.from("half")));
  const textOf = (wanted: number) =>
    framesIn(connection.received)
      .filter(({ type, stream }) => type === FrameType.DATA && stream === wanted)
      .map(({ payload }) => payload.toString())
      .join("");
  while (!textOf(1)) await connection.changed();
  t.regex(textOf(1), /body did not arrive within 0.5 s/);
  connection.write(headers(3, END_STREAM, GET));
  while (!textOf(3)) await connection.changed();
  t.is(textOf(3), "read 0");
});

test("a client that takes nothing of its answer is cut off", async (t) => {
  await using listener = await start();
  using over1 = await connectRaw(listener.port);
  over1.socket.pause();
  over1.write("GET /much HTTP/1.1\r\nHost: here\r\n\r\n");

  using over2 = await connectRaw(listener.port);
  const much: [string, string][] = [...GET.slice(0, 2), [":path", "/much"], [":authority", "here"]];
  over2.write(Buffer.concat([PREFACE, settings(), headers(1, END_STREAM, much)]));
  const isReset = () => framesIn(over2.received).some(({ type }) => type === FrameType.RST_STREAM);
  while (!isReset()) await over2.changed(); // its window was never opened further
  await eventually("the first is cut off", () => listener.connections.open === 1);
  t.pass();
});

test("a listener can be closed amid all that, and twice", async (t) => {
  const listener = await start();
  using idle = await connectRaw(listener.port);
  using halfway = await connectRaw(listener.port);
  halfway.write("POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\nhalf");
  using session = await connectRaw(listener.port);
  session.write(Buffer.concat([PREFACE, settings(), headers(1, 0, POST)]));
  await Promise.all([listener[Symbol.asyncDispose](), listener[Symbol.asyncDispose]()]);
  await Promise.all([idle.closed(), halfway.closed(), session.closed()]);
  t.is(listener.connections.open, 0);
});
