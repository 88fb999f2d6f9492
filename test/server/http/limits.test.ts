import { mkdtemp, rm } from "node:fs/promises";
import http2 from "node:http2";
import { tmpdir } from "node:os";
import path from "node:path";
import type tls from "node:tls";
import test from "ava";
import type { Limits } from "../../../lib/http/limits.ts";
import { silentLog } from "../../../lib/log.ts";
import { loadCertificates } from "../../../server/certificates.ts";
import { answer } from "../../../server/http/answer.ts";
import { type Handler, type KeyPair, listen } from "../../../server/http.ts";
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
import { connectRaw, type RawConnection } from "../../support/raw.ts";

const start = (options: { limits?: Partial<Limits>; handler?: Handler; tls?: KeyPair } = {}) =>
  listen({
    at: { host: "127.0.0.1", port: 0 },
    tls: options.tls,
    log: silentLog,
    handler: options.handler ?? (({ response }) => answer(response, 200, "served")),
    limits: options.limits ?? {},
  });

const GET: [string, string][] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "here"],
];

async function isServed(connection: RawConnection): Promise<boolean> {
  connection.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  return (await connection.until(/served/)).includes("served");
}

for (const [title, limits] of [
  ["in all", { connections: 2, connectionsPerAddress: 9 }],
  ["from one address", { connections: 9, connectionsPerAddress: 2 }],
] as const) {
  test(`more connections than may be open ${title} are refused, until one of them closes`, async (t) => {
    await using listener = await start({ limits });
    const first = await connectRaw(listener.port);
    using second = await connectRaw(listener.port);
    t.true(await isServed(first));
    t.true(await isServed(second));
    using third = await connectRaw(listener.port);
    t.false(await isServed(third));
    t.deepEqual(listener.connections, { open: 2, refused: 1 });

    first[Symbol.dispose]();
    await first.closed();
    await eventually("there is room again", async () => {
      using fourth = await connectRaw(listener.port);
      return await isServed(fourth);
    });
    t.true(await isServed(second));
  });
}

test("a session has at most so many streams at a time; more are refused, and may come again", async (t) => {
  const waiting: (() => void)[] = [];
  await using listener = await start({
    limits: { streams: 8 },
    handler: ({ response }) => void waiting.push(() => answer(response, 200, "served")),
  });
  using connection = await connectRaw(listener.port);
  const opened = Array.from({ length: 12 }, (_, i) => headers(2 * i + 1, END_STREAM, GET));
  connection.write(Buffer.concat([PREFACE, settings(), ...opened]));
  const refused = () =>
    framesIn(connection.received).filter(
      ({ type, payload }) =>
        type === FrameType.RST_STREAM &&
        payload.readUInt32BE() === http2.constants.NGHTTP2_REFUSED_STREAM,
    );
  while (refused().length < 4) await connection.changed();
  t.is(waiting.length, 8);
  for (const serve of waiting) serve();
  const served = () => framesIn(connection.received).filter(({ type }) => type === FrameType.DATA);
  while (served().length < 8) await connection.changed();
  connection.write(headers(101, END_STREAM, GET));
  await eventually("another stream is let in", () => waiting.length === 9);
});

const FLOODS: [title: string, flood: (round: number) => Buffer][] = [
  [
    "requests that are reset at once",
    (round) =>
      Buffer.concat(
        Array.from({ length: 100 }, (_, i) => {
          const stream = 2 * (100 * round + i) + 1;
          const reset = frame(FrameType.RST_STREAM, 0, stream, uint32(8));
          return Buffer.concat([headers(stream, END_STREAM, GET), reset]);
        }),
      ),
  ],
  ["settings", () => Buffer.concat(Array.from({ length: 1_000 }, () => settings([3, 100])))],
  [
    "pings",
    () =>
      Buffer.concat(
        Array.from({ length: 1_000 }, () => frame(FrameType.PING, 0, 0, Buffer.alloc(8))),
      ),
  ],
];

for (const [title, flood] of FLOODS) {
  test(`a session that floods with ${title} is closed, and others are served`, async (t) => {
    let handled = 0;
    await using listener = await start({
      handler: ({ response }) => {
        handled += 1;
        answer(response, 200, "served");
      },
    });
    using connection = await connectRaw(listener.port);
    connection.socket.pause(); // its answers pile up
    connection.write(Buffer.concat([PREFACE, settings()]));
    for (let round = 0; round < 200 && !connection.socket.destroyed; round += 1) {
      const isTaken = connection.socket.write(flood(round));
      if (isTaken) await new Promise((resolve) => setImmediate(resolve));
      else
        await Promise.race([
          new Promise((r) => connection.socket.once("drain", r)),
          connection.closed(),
        ]);
    }
    connection.socket.resume();
    await connection.closed();
    t.true(handled < 2_000, `${handled} were handled`);
    using other = await connectRaw(listener.port);
    t.true(await isServed(other));
  });
}

test("HTTP/2: headers over 16 KiB are refused, and the session goes on", async (t) => {
  await using listener = await start();
  const session = http2.connect(`http://127.0.0.1:${listener.port}`);
  const ask = (fields: http2.OutgoingHttpHeaders) =>
    new Promise<string>((resolve) => {
      const stream = session.request(fields);
      stream.on("response", (got) => resolve(String(got[":status"])));
      stream.on("error", (error: Error) => resolve(error.message));
    });
  const fields = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`x-${i}`, "y".repeat(1_000)]),
  );
  t.regex(await ask({ ":path": "/", ...fields }), /^431$/);
  t.is(await ask({ ":path": "/" }), "200");
  session.close();
});

async function makePair(): Promise<{ pair: KeyPair; ca: string }> {
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-pair-"));
  try {
    using certificates = await loadCertificates({ directory, hostnames: [], log: silentLog });
    const pair = certificates.current;
    return { pair, ca: pair.cert };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const fingerprintOf = ({ socket }: RawConnection) =>
  (socket as tls.TLSSocket).getPeerX509Certificate()?.fingerprint256;

test("a certificate that is exchanged serves new connections and keeps the old ones", async (t) => {
  const [first, second] = await Promise.all([makePair(), makePair()]);
  await using listener = await start({ tls: first.pair });
  const options = { rejectUnauthorized: false, ca: "" };
  using before = await connectRaw(listener.port, options);
  t.true(await isServed(before));
  listener.setKeyPair(second.pair);
  using after = await connectRaw(listener.port, options);
  t.true(await isServed(after));
  t.true(await isServed(before));
  t.not(fingerprintOf(before), fingerprintOf(after));

  using old = await connectRaw(listener.port, { ...options, maxVersion: "TLSv1.1" });
  t.truthy(old.error);
});

test("a TLS handshake that stops halfway is closed", async (t) => {
  const { pair } = await makePair();
  await using listener = await start({ tls: pair, limits: { headersMs: 500 } });
  using connection = await connectRaw(listener.port);
  connection.write(Buffer.from([22, 3, 1, 2, 0, 1, 0]));
  await connection.closed();
  await eventually("nothing is left", () => listener.connections.open === 0);
  t.pass();
});

test("a port that is taken is named, in words", async (t) => {
  await using listener = await start();
  const again = listen({
    at: { host: "127.0.0.1", port: listener.port },
    tls: undefined,
    log: silentLog,
    handler: () => {},
  });
  await t.throwsAsync(again, { message: /cannot listen on 127.0.0.1:\d+: something else listens/ });
});
