import http2 from "node:http2";
import test from "ava";
import { type Bystander, startBystander } from "../../support/bystander.ts";
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
  uint32,
} from "../../support/frames.ts";
import { connectRaw } from "../../support/raw.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let cleartext: TestServer;
let owner: Owner;
let bystander: Bystander;

test.before(async () => {
  [server, cleartext] = await Promise.all([startTestServer(), startTestServer({ tls: "off" })]);
  owner = await setUp(server);
  bystander = startBystander(server, owner.token);
});
test.after("everybody else was served all the while", async (t) => {
  const { served, failures } = await bystander.stop();
  t.deepEqual(failures, []);
  t.true(served > 2);
});
test.after.always(async () => {
  await bystander?.stop();
  await Promise.all([server?.[Symbol.asyncDispose](), cleartext?.[Symbol.asyncDispose]()]);
});

const LIST = "/lumetry.v1.ZoneService/ListZones";
const portOf = ({ url }: TestServer) => Number(new URL(url).port);
const POST = `POST ${LIST} HTTP/1.1\r\nHost: here\r\n`;

/** What a client sends over HTTP/1, what it gets, and whether the connection may go on. */
const http1: [title: string, sent: string, answer: RegExp, end: "closes" | "goes on"][] = [
  ["no Host", "GET /healthz HTTP/1.1\r\n\r\n", /^HTTP\/1.1 400 .*has no Host/s, "closes"],
  ["an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", /^HTTP\/1.1 400 .*has no Host/s, "closes"],
  ["a Host of [", "GET / HTTP/1.1\r\nHost: [\r\n\r\n", /^HTTP\/1.1 400 .*is no Host/s, "closes"],
  [
    "a Host of two words",
    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    /^HTTP\/1.1 400 .*is no Host/s,
    "closes",
  ],
  [
    "a Host with a user in it",
    "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n",
    /^HTTP\/1.1 400 .*is no Host/s,
    "closes",
  ],
  [
    "two Hosts",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    /^HTTP\/1.1 400 .*one Host/s,
    "closes",
  ],
  ["HTTP/1.0 without a Host", "GET /healthz HTTP/1.0\r\n\r\n", /^HTTP\/1.1 200 .*up/s, "closes"],
  [
    "a path in absolute form",
    "GET http://here/healthz HTTP/1.1\r\nHost: here\r\n\r\n",
    /^HTTP\/1.1 200 .*up/s,
    "goes on",
  ],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: here\r\n\r\n", /^HTTP\/1.1 404 /, "goes on"],
  [
    "TRACE",
    "TRACE / HTTP/1.1\r\nHost: here\r\n\r\n",
    /^HTTP\/1.1 405 .*TRACE is not served/s,
    "goes on",
  ],
  [
    "CONNECT",
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    /^HTTP\/1.1 405 .*not a proxy/s,
    "closes",
  ],
  [
    "a method that nobody knows",
    "FROB / HTTP/1.1\r\nHost: here\r\n\r\n",
    /^HTTP\/1.1 400 .*no method/s,
    "closes",
  ],
  [
    "a method that only others know",
    `PROPFIND ${LIST} HTTP/1.1\r\nHost: here\r\n\r\n`,
    /^HTTP\/1.1 405 .*allow: POST, GET/s,
    "goes on",
  ],
  [
    "DELETE of a page",
    "DELETE /healthz HTTP/1.1\r\nHost: here\r\n\r\n",
    /^HTTP\/1.1 405 .*allow: GET, HEAD/s,
    "goes on",
  ],
  ["no HTTP at all", "\x00\x01\x02\x03\r\n\r\n", /^HTTP\/1.1 400 /, "closes"],
  ["a line that never was a request", "hello\r\n\r\n", /^HTTP\/1.1 400 /, "closes"],
  ["a bare line feed and a NUL", "GET / HTTP/1.1\nHost: a\x00\n\n", /^HTTP\/1.1 400 /, "closes"],
  ["HTTP/3.0", "GET / HTTP/3.0\r\nHost: here\r\n\r\n", /^HTTP\/1.1 400 /, "closes"],
  [
    "an upgrade to h2c",
    "GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    /^HTTP\/1.1 200 .*up/s,
    "goes on",
  ],
  [
    "an expectation that nobody can meet",
    `${POST}Expect: tea\r\nContent-Length: 0\r\n\r\n`,
    /^HTTP\/1.1 417 .*100-continue/s,
    "goes on",
  ],
  [
    "length and chunks at once",
    `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    /^HTTP\/1.1 400 .*never both/s,
    "closes",
  ],
  [
    "two lengths",
    `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}`,
    /^HTTP\/1.1 400 .*never both/s,
    "closes",
  ],
  [
    "a length that is no number",
    `${POST}Content-Length: 0x2\r\n\r\n{}`,
    /^HTTP\/1.1 400 /,
    "closes",
  ],
  ["a length below zero", `${POST}Content-Length: -2\r\n\r\n{}`, /^HTTP\/1.1 400 /, "closes"],
  ["a space before the colon", `${POST}Content-Length : 2\r\n\r\n{}`, /^HTTP\/1.1 400 /, "closes"],
  ["a folded header", `${POST}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`, /^HTTP\/1.1 4/, "closes"],
  [
    "headers of a megabyte",
    `GET / HTTP/1.1\r\nHost: here\r\nX: ${"x".repeat(1e6)}\r\n\r\n`,
    /^HTTP\/1.1 431 .*16 KiB/s,
    "closes",
  ],
  [
    "a path of a megabyte",
    `GET /${"x".repeat(1e6)} HTTP/1.1\r\nHost: here\r\n\r\n`,
    /^HTTP\/1.1 431 .*16 KiB/s,
    "closes",
  ],
  [
    "both directions at once",
    "POST /grpc.reflection.v1.ServerReflection/ServerReflectionInfo HTTP/1.1\r\nHost: here\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n",
    /^HTTP\/1.1 505 .*takes HTTP\/2/s,
    "closes",
  ],
  [
    "a path from here to nowhere",
    "POST /nowhere HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n",
    /^HTTP\/1.1 404 .*lumetry.v1.ZoneService/s,
    "goes on",
  ],
  [
    "a method that the service lacks",
    "POST /lumetry.v1.ZoneService/Frob HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n",
    /^HTTP\/1.1 404 .*ZoneService\/ListZones/s,
    "goes on",
  ],
  [
    "a slash too many",
    `POST /${LIST} HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n`,
    /^HTTP\/1.1 404 /,
    "goes on",
  ],
];

for (const [title, sent, answer, end] of http1) {
  test(`HTTP/1: ${title} is answered in words`, async (t) => {
    for (const target of [server, cleartext]) {
      using connection = await connectRaw(portOf(target), target.ca ? { ca: target.ca } : {});
      connection.write(Buffer.from(sent, "latin1"));
      t.regex(await connection.until(/\r\n\r\n.*[}\n]$/s), answer);
      t.regex(connection.received, /x-request-id: [0-9a-f-]{36}\r\n/i);
      if (end === "closes") {
        await connection.closed();
        continue;
      }
      connection.write("GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n");
      t.regex(await connection.until(/HTTP.*HTTP.*\{"status":"up"\}/s), /HTTP.*HTTP.*up/s);
    }
  });
}

test("HTTP/1: requests sent all at once are answered in order", async (t) => {
  using connection = await connectRaw(portOf(server), server);
  const paths = ["/healthz", "/nowhere", "/readyz", "/healthz"];
  connection.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: here\r\n\r\n`).join(""));
  const all = await connection.until(/(HTTP.*){4}up"\}/s);
  t.deepEqual(
    all.match(/HTTP\/1.1 \d+/g)?.map((line) => line.slice(9)),
    ["200", "404", "200", "200"],
  );
});

test("HTTP/1: rubbish behind a good request costs that request nothing", async (t) => {
  using connection = await connectRaw(portOf(server), server);
  const head = `${POST}Authorization: Bearer ${owner.token}\r\nContent-Type: application/json\r\n`;
  connection.write(`${head}Content-Length: 2\r\n\r\n{}\x00rubbish\r\n\r\n`);
  t.regex(await connection.closed(), /^HTTP\/1.1 200 .*zones.*HTTP\/1.1 400 /s);
});

test("HTTP/1: a body in broken chunks is refused, and its connection closed", async (t) => {
  using connection = await connectRaw(portOf(server), server);
  const head = `${POST}Authorization: Bearer ${owner.token}\r\nContent-Type: application/json\r\n`;
  connection.write(`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`);
  t.regex(await connection.closed(), /^HTTP\/1.1 400 /);
});

test("HTTP/1: a client that waits for 100 Continue sends nothing in vain", async (t) => {
  using stranger = await connectRaw(portOf(server), server);
  const head = `${POST}Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\n`;
  stranger.write(`${head}\r\n`);
  t.regex(await stranger.closed(), /^HTTP\/1.1 401 /);

  using known = await connectRaw(portOf(server), server);
  known.write(`${head}Authorization: Bearer ${owner.token}\r\n\r\n`);
  t.regex(await known.until(/\r\n\r\n/), /^HTTP\/1.1 100 Continue\r\n\r\n$/);
  known.write("{}");
  t.regex(await known.until(/zones/), /HTTP\/1.1 200 .*keep-alive.*zones/s);
});

test("plain HTTP on the TLS port is told to use https", async (t) => {
  using connection = await connectRaw(portOf(server));
  connection.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  t.regex(await connection.closed(), /^HTTP\/1.1 400 .*use https:\/\//s);
});

test("rubbish in place of a TLS handshake closes that connection only", async (t) => {
  using connection = await connectRaw(portOf(server));
  connection.write(Buffer.from([22, 3, 1, 0, 5, 1, 2, 3, 4, 5]));
  await connection.closed();
  t.pass();
});

test("no TLS older than 1.2 is spoken", async (t) => {
  using connection = await connectRaw(portOf(server), { ...server, maxVersion: "TLSv1.1" });
  t.is(await connection.closed(), "");
  t.truthy(connection.error);
});

/** One request over HTTP/2 with just these headers. */
async function ask(target: TestServer, fields: http2.OutgoingHttpHeaders, body = "") {
  const session = http2.connect(target.url, target.ca ? { ca: target.ca } : {});
  session.on("error", () => {});
  try {
    const stream = session.request(fields, { endStream: body === "" });
    if (body) stream.end(body);
    return await new Promise<{ status: number; text: string; headers: http2.IncomingHttpHeaders }>(
      (resolve, reject) => {
        let text = "";
        let got: http2.IncomingHttpHeaders = {};
        stream.setEncoding("utf8");
        stream.on("response", (received) => {
          got = received;
        });
        stream.on("data", (chunk) => {
          text += chunk;
        });
        stream.on("error", reject);
        stream.on("end", () => resolve({ status: Number(got[":status"]), text, headers: got }));
      },
    );
  } finally {
    session.destroy();
  }
}

const http2Table: [
  title: string,
  fields: http2.OutgoingHttpHeaders,
  status: number,
  words: RegExp,
][] = [
  ["an :authority of [", { ":path": "/healthz", ":authority": "[" }, 400, /is no :authority/],
  ["TRACE", { ":method": "TRACE", ":path": "/" }, 405, /TRACE/],
  ["an unknown method", { ":method": "FROB", ":path": LIST }, 405, /FROB/],
  ["an unknown path", { ":path": "/nowhere" }, 404, /nothing at this path/],
  ["a path of *", { ":method": "OPTIONS", ":path": "*" }, 404, /nothing/],
  ["another expectation", { ":path": "/", expect: "tea" }, 417, /100-continue/],
];

for (const [title, fields, status, words] of http2Table) {
  test(`HTTP/2: ${title} is answered in words`, async (t) => {
    for (const target of [server, cleartext]) {
      const answer = await ask(target, fields);
      t.is(answer.status, status);
      t.regex(answer.text, words);
      t.regex(String(answer.headers["x-request-id"]), /^[0-9a-f-]{36}$/);
    }
  });
}

test("HTTP/2: CONNECT is refused", async (t) => {
  const answer = await ask(server, { ":method": "CONNECT", ":authority": "a:1" }, "x");
  t.is(answer.status, 405);
});

test("what is not of a type that a call takes is named, with the types that are", async (t) => {
  for (const type of ["text/plain", "application/json; charset=utf-16", "application/xml", ""]) {
    const fields = { ":method": "POST", ":path": LIST, ...(type && { "content-type": type }) };
    const answer = await ask(server, fields, "{}");
    t.is(answer.status, 415);
    t.regex(answer.text, /takes the content-type application\/json/);
    t.regex(String(answer.headers["accept-post"]), /application\/json/);
  }
});

const PSEUDO: [string, string][] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/healthz"],
];

/** Bytes that are no HTTP/2; each must end in a GOAWAY, a reset stream or a closed connection. */
const frames: [title: string, bytes: Buffer][] = [
  ["a preface that goes wrong", Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")],
  [
    "a frame of four megabytes",
    Buffer.concat([PREFACE, settings(), frame(FrameType.DATA, 0, 1, Buffer.alloc(4 << 20))]),
  ],
  [
    "a frame over the limit",
    Buffer.concat([
      PREFACE,
      settings(),
      frame(FrameType.HEADERS, END_HEADERS, 1, Buffer.alloc(20_000)),
    ]),
  ],
  [
    "an :authority of two words",
    Buffer.concat([
      PREFACE,
      settings(),
      headers(1, END_STREAM, [...PSEUDO, [":authority", "a b"]]),
    ]),
  ],
  [
    "a path in absolute form",
    Buffer.concat([
      PREFACE,
      settings(),
      headers(1, END_STREAM, [
        [":method", "GET"],
        [":scheme", "https"],
        [":path", "https://here/healthz"],
      ]),
    ]),
  ],
  ["no :authority", Buffer.concat([PREFACE, settings(), headers(1, END_STREAM, PSEUDO)])],
  ["no pseudo headers", Buffer.concat([PREFACE, settings(), headers(1, END_STREAM, [["a", "b"]])])],
  [
    "a header name in capitals",
    Buffer.concat([PREFACE, settings(), headers(1, END_STREAM, [...PSEUDO, ["X-A", "b"]])]),
  ],
  [
    "a connection header",
    Buffer.concat([
      PREFACE,
      settings(),
      headers(1, END_STREAM, [...PSEUDO, ["connection", "close"]]),
    ]),
  ],
  [
    "a header block that is none",
    Buffer.concat([
      PREFACE,
      settings(),
      frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, Buffer.alloc(64, 0xff)),
    ]),
  ],
  [
    "data for a stream that is not open",
    Buffer.concat([PREFACE, settings(), frame(FrameType.DATA, 0, 7, Buffer.from("x"))]),
  ],
  ["an even stream", Buffer.concat([PREFACE, settings(), headers(2, END_STREAM, PSEUDO)])],
  [
    "another frame amid a header block",
    Buffer.concat([
      PREFACE,
      settings(),
      frame(FrameType.HEADERS, 0, 1, headerBlock(PSEUDO)),
      settings(),
    ]),
  ],
  [
    "endless continuations",
    Buffer.concat([
      PREFACE,
      settings(),
      frame(FrameType.HEADERS, 0, 1, headerBlock(PSEUDO)),
      ...Array.from({ length: 64 }, () =>
        frame(FrameType.CONTINUATION, 0, 1, headerBlock([["x", "y".repeat(8_000)]])),
      ),
    ]),
  ],
  [
    "a window update of nothing",
    Buffer.concat([PREFACE, settings(), frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(0))]),
  ],
  [
    "a window that overflows",
    Buffer.concat([PREFACE, settings(), frame(FrameType.WINDOW_UPDATE, 0, 0, uint32(0x7fffffff))]),
  ],
  [
    "settings of an odd length",
    Buffer.concat([PREFACE, frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(5))]),
  ],
  ["a setting out of bounds", Buffer.concat([PREFACE, settings([4, 0xffffffff])])],
  [
    "sixty settings in one frame",
    Buffer.concat([
      PREFACE,
      settings(...Array.from({ length: 60 }, (_, i): [number, number] => [0x1000 + i, 1])),
    ]),
  ],
  [
    "a ping of seven bytes",
    Buffer.concat([PREFACE, settings(), frame(FrameType.PING, 0, 0, Buffer.alloc(7))]),
  ],
];

for (const [title, bytes] of frames) {
  test(`HTTP/2: ${title} ends in a reset or a closed connection`, async (t) => {
    for (const target of [server, cleartext]) {
      const tls = target.ca ? { ca: target.ca, alpn: ["h2"] } : {};
      using connection = await connectRaw(portOf(target), tls);
      connection.write(bytes);
      const isRefusal = () =>
        framesIn(connection.received).some(
          ({ type, stream }) =>
            type === FrameType.GOAWAY ||
            type === FrameType.RST_STREAM ||
            (type === FrameType.HEADERS && stream === 1),
        );
      while (!isRefusal() && !connection.isClosed) await connection.changed();
      t.true(isRefusal() || connection.isClosed);
    }
  });
}
