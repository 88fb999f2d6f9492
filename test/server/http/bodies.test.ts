import http2 from "node:http2";
import { brotliCompressSync, gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { CreateZoneRequestSchema, ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { type Bystander, startBystander } from "../../support/bystander.ts";
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
import { type Answer, envelope, send } from "../../support/post.ts";
import { connectRaw } from "../../support/raw.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let bystander: Bystander;

test.before(async () => {
  server = await startTestServer();
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
  await server?.[Symbol.asyncDispose]();
});

const PROTOCOLS = [
  "application/json",
  "application/proto",
  "application/grpc",
  "application/grpc-web",
];

const request = (path: string, contentType: string, more: http2.OutgoingHttpHeaders = {}) => ({
  ":method": "POST",
  ":path": path,
  "content-type": contentType,
  authorization: `Bearer ${owner.token}`,
  te: "trailers",
  ...more,
});
const CREATE = "/lumetry.v1.ZoneService/CreateZone";
const GET = "/lumetry.v1.ZoneService/GetZone";
const LIST = "/lumetry.v1.ZoneService/ListZones";
const isGrpc = (contentType: string) => contentType.startsWith("application/grpc");
const encodingHeader = (contentType: string) =>
  isGrpc(contentType) ? "grpc-encoding" : "content-encoding";
const wrap = (contentType: string, message: Uint8Array, flags = 0) =>
  isGrpc(contentType) ? envelope(message, flags) : message;

/** The error code of an answer in any of the protocols, as Connect spells it; "ok" if there is none. */
function codeOf(answer: Answer): string {
  const { headers, trailers, body } = answer;
  const contentType = String(headers["content-type"]);
  if (contentType.startsWith("application/grpc-web")) {
    return nameOf(/grpc-status: (\d+)/.exec(body.toString("latin1"))?.[1]);
  }
  if (contentType.startsWith("application/grpc")) {
    return nameOf(trailers["grpc-status"] ?? headers["grpc-status"]);
  }
  return answer.status === 200 ? "ok" : JSON.parse(answer.text).code;
}
const nameOf = (status: unknown) =>
  status === "0"
    ? "ok"
    : (Code[Number(status)] ?? "none")
        .replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`)
        .toLowerCase();

test("a stranger's upload of 5 MB is refused before any of it is read", async (t) => {
  for (const contentType of PROTOCOLS) {
    const headers = { ...request(CREATE, contentType), authorization: "" };
    const answer = await send(server, { ...headers, "content-length": 5_000_000 }, (stream) => {
      stream.on("error", () => {}); // nothing of the body is ever sent
    });
    t.is(codeOf(answer), "unauthenticated");
  }
  using connection = await connectRaw(Number(new URL(server.url).port), server);
  connection.write(
    `POST ${CREATE} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n`,
  );
  t.regex(await connection.until(/unauthenticated.*\}/s), /^HTTP\/1.1 401 /);
  // What does not come in a while is waited for no longer.
  await connection.closed();
});

test("a stranger's whole upload of 5 MB gets its answer through", async (t) => {
  const headers = { ...request(CREATE, "application/json"), authorization: "" };
  const answer = await send(server, headers, Buffer.alloc(5_000_000, " "));
  t.is(codeOf(answer), "unauthenticated");

  using connection = await connectRaw(Number(new URL(server.url).port), server);
  const head = `POST ${CREATE} HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n`;
  connection.write(`${head}Content-Length: 5000000\r\n\r\n`);
  connection.write(Buffer.alloc(5_000_000, " "));
  t.regex(await connection.until(/unauthenticated.*\}/s), /^HTTP\/1.1 401 /);
});

const bomb = gzipSync(Buffer.alloc(64 << 20), { level: 9 });

test("a bomb of 64 MiB in 64 KiB of gzip is given up early, in every protocol", async (t) => {
  const everyWay = PROTOCOLS.map(async (contentType) => {
    const headers = request(CREATE, contentType, { [encodingHeader(contentType)]: "gzip" });
    const answer = await send(server, headers, wrap(contentType, bomb, 1));
    t.is(codeOf(answer), "resource_exhausted");
    const stranger = await send(
      server,
      { ...headers, authorization: "" },
      wrap(contentType, bomb, 1),
    );
    t.is(codeOf(stranger), "unauthenticated");
  });
  await Promise.all(everyWay);
});

test("forty bombs at once cost no memory worth speaking of", async (t) => {
  const before = process.memoryUsage().rss;
  const headers = request(CREATE, "application/proto", { "content-encoding": "gzip" });
  const answers = await Promise.all(Array.from({ length: 40 }, () => send(server, headers, bomb)));
  t.true(answers.every((answer) => codeOf(answer) === "resource_exhausted"));
  t.true(process.memoryUsage().rss - before < 40 * (64 << 20) * 0.25);
});

test("gzip that is cut off, or none at all, is the sender's mistake", async (t) => {
  const whole = gzipSync(Buffer.from('{"displayName":"cut off"}'));
  for (const contentType of PROTOCOLS) {
    const headers = request(CREATE, contentType, { [encodingHeader(contentType)]: "gzip" });
    for (const body of [whole.subarray(0, -9), Buffer.from("no gzip")]) {
      const answer = await send(server, headers, wrap(contentType, body, 1));
      t.is(codeOf(answer), "invalid_argument", contentType);
    }
  }
});

test("other compressions than gzip are refused with the name of the one that is known", async (t) => {
  const plain = Buffer.from("{}");
  const others: Record<string, Buffer> = {
    br: brotliCompressSync(plain),
    zstd: zstdCompressSync(plain),
  };
  for (const contentType of PROTOCOLS) {
    for (const [encoding, body] of Object.entries(others)) {
      const headers = request(LIST, contentType, { [encodingHeader(contentType)]: encoding });
      const answer = await send(server, headers, wrap(contentType, body, 1));
      t.is(codeOf(answer), "unimplemented", contentType);
      const told = `${answer.body.toString("latin1")} ${answer.trailers["grpc-message"] ?? ""}`;
      t.regex(told, /gzip/);
    }
  }
});

test("answers are compressed with gzip or not at all, whatever a client would rather have", async (t) => {
  const zones = server.client(ZoneService, owner.token);
  for (let i = 0; i < 12; i += 1)
    await zones.createZone({ displayName: `${"long ".repeat(20)}${i}` });
  for (const accepted of ["br", "br;q=1, zstd", "br, gzip", "deflate", "*"]) {
    const headers = request(LIST, "application/json", { "accept-encoding": accepted });
    const { headers: got, body } = await send(server, headers, "{}");
    const encoding = got["content-encoding"];
    t.is(encoding, accepted.includes("gzip") ? "gzip" : undefined);
    t.regex((encoding ? gunzipSync(body) : body).toString(), /long long/);
  }
});

test("ten megabytes of labels are too large, and the answer says so", async (t) => {
  const labels = Array.from({ length: 100_000 }, (_, i) => `"label_${i}":"${"v".repeat(84)}"`);
  const body = Buffer.from(`{"series":[{"metric":"m","labels":{${labels.join(",")}}}]}`);
  t.true(body.length > 10_000_000);
  for (const contentType of PROTOCOLS) {
    const message = isGrpc(contentType) ? envelope(body) : body;
    const answer = await send(server, request(CREATE, contentType), message);
    t.is(codeOf(answer), "resource_exhausted", contentType);
    const told = `${answer.body.toString("latin1")} ${answer.trailers["grpc-message"] ?? ""}`;
    t.regex(told, /split%?.?.?it/);
  }
});

test("strangers may say less: 64 KiB", async (t) => {
  const headers = request("/lumetry.v1.SessionService/CreateSession", "application/json");
  const answer = await send(server, headers, `{"email":"${"a".repeat(70_000)}"}`);
  t.is(codeOf(answer), "resource_exhausted");
  t.regex(answer.text, /65536/);
});

const json: [title: string, body: string | Buffer, code: string][] = [
  ["nothing at all", Buffer.from(" "), "invalid_argument"],
  ["half an object", '{"displayName":', "invalid_argument"],
  ["an array", "[]", "invalid_argument"],
  ["a field of another type", '{"displayName":7}', "invalid_argument"],
  ["100,000 open brackets", "[".repeat(100_000), "invalid_argument"],
  [
    "a field nested 100,000 deep",
    `{"displayName":${"[".repeat(1e5)}${"]".repeat(1e5)}}`,
    "invalid_argument",
  ],
  [
    "an unknown field nested 100,000 deep",
    `{"displayName":"deep","x":${"[".repeat(1e5)}${"]".repeat(1e5)}}`,
    "ok",
  ],
  ["unknown fields", '{"displayName":"unknown","colour":"blue","__proto__":{"a":1}}', "ok"],
  [
    "text that is not UTF-8",
    Buffer.from('{"displayName":"\xff\xfe"}', "latin1"),
    "invalid_argument",
  ],
  ["half a surrogate pair", '{"displayName":"\\ud800"}', "invalid_argument"],
  ["a NUL character", '{"displayName":"a\\u0000b"}', "invalid_argument"],
];

for (const [title, body, code] of json) {
  test(`JSON that holds ${title} is answered ${code}`, async (t) => {
    const answer = await send(server, request(CREATE, "application/json"), body);
    t.is(codeOf(answer), code, answer.text);
    const inGrpc = envelope(Buffer.from(body));
    const again = await send(server, request(CREATE, "application/grpc+json"), inGrpc);
    t.is(codeOf(again), code === "ok" ? "already_exists" : code);
  });
}

const binary: [title: string, body: Uint8Array][] = [
  ["text that is not UTF-8", Buffer.from([0x0a, 2, 0xff, 0xfe])],
  ["a length beyond the end", Buffer.from([0x0a, 0x7f, 1])],
  ["a tag of nothing", Buffer.from([0x00, 0x00])],
  ["a number that never ends", Buffer.alloc(64, 0xff)],
  ["groups nested 100,000 deep", Buffer.alloc(100_000, 0x7b)],
];

for (const [title, body] of binary) {
  test(`a binary message that holds ${title} is the sender's mistake, in every protocol`, async (t) => {
    for (const contentType of PROTOCOLS.slice(1)) {
      const answer = await send(server, request(GET, contentType), wrap(contentType, body));
      t.is(codeOf(answer), "invalid_argument", `${contentType} ${answer.text}`);
    }
  });
}

test("an envelope that promises more than comes is the sender's mistake", async (t) => {
  for (const contentType of ["application/grpc", "application/grpc-web"]) {
    for (const head of [
      [0, 0, 0, 0, 9, 1],
      [0, 0xff, 0xff, 0xff, 0xff, 1],
      [0, 0, 0],
    ]) {
      const answer = await send(server, request(GET, contentType), Buffer.from(head));
      t.true(["invalid_argument", "resource_exhausted"].includes(codeOf(answer)));
    }
  }
});

test("a GET whose message is not base64 is told so", async (t) => {
  const headers = { ":method": "GET", authorization: `Bearer ${owner.token}` };
  for (const message of ["%%%", "a", "*", "%00", "a".repeat(5)]) {
    const query = `?connect=v1&encoding=proto&base64=1&message=${message}`;
    const answer = await send(server, { ...headers, ":path": `${LIST}${query}` });
    t.is(codeOf(answer), "invalid_argument");
    t.regex(answer.text, /base64/);
  }
});

test("a GET is for reading only", async (t) => {
  const query = "?connect=v1&encoding=json&message=%7B%7D";
  const headers = { ":method": "GET", authorization: `Bearer ${owner.token}` };
  t.is((await send(server, { ...headers, ":path": LIST + query })).status, 200);
  const answer = await send(server, { ...headers, ":path": CREATE + query });
  t.is(answer.status, 405);
  t.regex(answer.text, /only POST/);
});

test("half a message is never acted on, when its sender goes away", async (t) => {
  const whole = toBinary(
    CreateZoneRequestSchema,
    create(CreateZoneRequestSchema, {
      displayName: "halfway",
      allowedNetworks: ["10.0.0.0/8"],
    }),
  );
  const half = whole.subarray(0, 2 + "halfway".length); // a message in itself
  const reset = (code: number) => frame(FrameType.RST_STREAM, 0, 1, uint32(code));
  const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = http2.constants;
  for (const ending of [reset(NGHTTP2_CANCEL), reset(NGHTTP2_NO_ERROR), undefined]) {
    const port = Number(new URL(server.url).port);
    using connection = await connectRaw(port, { ...server, alpn: ["h2"] });
    const fields: [string, string][] = [
      [":method", "POST"],
      [":scheme", "https"],
      [":path", CREATE],
      [":authority", "here"],
      ["content-type", "application/proto"],
      ["authorization", `Bearer ${owner.token}`],
    ];
    connection.write(Buffer.concat([PREFACE, settings(), headers(1, 0, fields)]));
    connection.write(frame(FrameType.DATA, 0, 1, half));
    if (ending) {
      connection.write(ending);
      // The session goes on, and this is answered later.
      connection.write(headers(3, END_STREAM, [[":method", "GET"], ...fields.slice(1, 4)]));
      const isAnswered = () => framesIn(connection.received).some(({ stream }) => stream === 3);
      while (!isAnswered()) await connection.changed();
    } else {
      connection.socket.end();
      await connection.closed();
    }
  }
  // Whatever came of them has come before this call does.
  const { zones } = await server.client(ZoneService, owner.token).listZones({ pageSize: 200 });
  t.false(zones.some(({ displayName }) => displayName === "halfway"));
});

test("a message that comes byte by byte costs no more than its bytes", async (t) => {
  for (const contentType of ["application/json", "application/grpc+json"]) {
    const text = Buffer.from(
      JSON.stringify({ displayName: `slowly ${contentType}`, x: "x".repeat(20_000) }),
    );
    const bytes = isGrpc(contentType) ? envelope(text) : text;
    const answer = await send(server, request(CREATE, contentType), (stream) => {
      for (const byte of bytes) stream.write(Buffer.of(byte));
      stream.end();
    });
    t.is(codeOf(answer), "ok");
  }
});
