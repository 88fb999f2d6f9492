import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import { brotliCompressSync, gunzipSync, gzipSync } from "node:zlib";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import {
  MetricMetadata_Kind as Kind,
  MetricsService,
  WriteMetricsRequestSchema,
  WriteMetricsResponseSchema,
} from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { MetricQueryService } from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { readSegment } from "../../../server/log/segment-format.ts";
import { addSender, seriesOf, type TestSender } from "../../support/points.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";
import { double, encodedRequests } from "../../support/wire.ts";

/** The same content type, spelt so that the general stack takes it and the direct route does not. */
const ROUTES = { direct: "application/proto", general: "Application/Proto" } as const;
type RouteName = keyof typeof ROUTES;

const PATH = `/${MetricsService.typeName}/WriteMetrics`;
const DAY = 86_400_000;
const now = Date.now();

let server: TestServer;
let owner: Owner;
let session: http2.ClientHttp2Session;
let agent: https.Agent;
let apart: https.Agent;

test.before(async () => {
  server = await startTestServer({ seriesLimit: 1_000 });
  owner = await setUp(server);
  session = http2.connect(server.url, { ca: server.ca });
  session.on("error", () => {}); // its streams tell
  agent = new https.Agent({ keepAlive: true, ca: server.ca });
  apart = new https.Agent({ keepAlive: true, ca: server.ca });
});
test.after.always(async () => {
  session?.destroy();
  agent?.destroy();
  apart?.destroy();
  await server?.[Symbol.asyncDispose]();
});

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: Buffer;
}
type Headers = Record<string, string>;

/** Headers that differ from answer to answer, whatever the route. */
const PASSING = new Set(["date", "x-request-id", ":status"]);
const shownHeaders = (headers: object) =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !PASSING.has(name))
      .sort(),
  );

/** What is sent on after a refusal would count against everybody else on the session or connection. */
const ALONE_BYTES = 1 << 20;

async function overHttp2(headers: Headers, body: Uint8Array): Promise<Answer> {
  if (body.length < ALONE_BYTES) return onSession(session, headers, body);
  const own = http2.connect(server.url, { ca: server.ca });
  own.on("error", () => {});
  try {
    return await onSession(own, headers, body);
  } finally {
    own.destroy();
  }
}

async function onSession(
  on: http2.ClientHttp2Session,
  headers: Headers,
  body: Uint8Array,
): Promise<Answer> {
  const stream = on.request({ ":method": "POST", ":path": PATH, ...headers });
  stream.on("error", () => {}); // the server may say no before it has read all
  stream.end(body);
  const [answered] = await once(stream, "response");
  const chunks: Buffer[] = await stream.toArray();
  return {
    status: answered[":status"],
    headers: shownHeaders(answered),
    body: Buffer.concat(chunks),
  };
}

async function overHttp1(headers: Headers, body: Uint8Array, by = agent): Promise<Answer> {
  const isAlone = body.length >= ALONE_BYTES;
  const request = https.request(server.url + PATH, {
    method: "POST",
    agent: isAlone ? false : by,
    ca: server.ca,
    headers,
  });
  request.on("error", () => {}); // the server may say no, and close, before it has read all
  request.end(body);
  const [response] = await once(request, "response");
  const chunks: Buffer[] = await response.toArray();
  return {
    status: response.statusCode,
    headers: shownHeaders(response.headers),
    body: Buffer.concat(chunks),
  };
}

/** On connections that carry requests of the direct route only, Node's HTTP need not read the small ones. */
const onConnectionsOfTheirOwn = (headers: Headers, body: Uint8Array) =>
  overHttp1(headers, body, headers["content-type"] === ROUTES.direct ? apart : agent);

const VERSIONS = {
  "HTTP/1.1 on connections of their own": onConnectionsOfTheirOwn,
  "HTTP/1.1": overHttp1,
  "HTTP/2": overHttp2,
};

const encode = (request: MessageInitShape<typeof WriteMetricsRequestSchema>) =>
  Buffer.from(toBinary(WriteMetricsRequestSchema, create(WriteMetricsRequestSchema, request)));
const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

/** Batches and runs as they lie in the log, in the order in which each sender's arrived. */
async function logOf(senderId: string): Promise<unknown[]> {
  const segments = await server.sql<{ body: Buffer }>(
    "select body from segments order by arrived_at, segment_id",
  );
  const runs: unknown[] = [];
  for (const { body } of segments) {
    const everything = () => true;
    readSegment(body, everything, ({ batch, seriesId, count, times, values }) => {
      if (batch.senderId !== senderId) return;
      const { batchId, clockOffsetMs } = batch;
      const points = [[...times.subarray(0, count)], [...values.subarray(0, count)]];
      runs.push({ batchId, clockOffsetMs, seriesId, points });
    });
  }
  return runs;
}

/** Sends the same by both routes and versions, from a sender each, and wants the same of all. */
async function sendAlike(
  t: ExecutionContext,
  senders: Record<RouteName, TestSender>,
  headers: Headers,
  body: Uint8Array,
): Promise<Answer> {
  const answers = [];
  for (const [version, send] of Object.entries(VERSIONS)) {
    const [direct, general] = await Promise.all(
      (["direct", "general"] as const).map((route) =>
        send({ "content-type": ROUTES[route], ...bearer(senders[route].secret), ...headers }, body),
      ),
    );
    t.deepEqual(direct, general, version);
    if (direct) answers.push(direct);
  }
  const [one, ...others] = answers;
  for (const { status, body } of others) t.deepEqual([status, body], [one?.status, one?.body]);
  return one as Answer;
}

const addSenders = async (labels: Record<string, string> = {}) => ({
  direct: await addSender(server, owner.token, labels),
  general: await addSender(server, owner.token, labels),
});

const good = encode({ series: [seriesOf("alike", { a: "1" }, [now, 1], [now + 1, 2])] });
const mixed = encode({
  batchId: "mixed-1",
  clockOffset: { seconds: 3600n, nanos: 500_000_000 },
  metadata: [{ metric: "alike", kind: Kind.GAUGE, unit: "s", description: "a thing" }],
  series: [
    seriesOf("alike", { a: "1" }, [now, 1], [now + 1, Number.NaN], [now - 40 * DAY, 3]),
    seriesOf("no name", {}, [now, 1]),
    seriesOf("alike", { "lumetry.x": "1" }, [now, 1]),
    seriesOf("alike", { a: "" }, [now, -0]),
    seriesOf("alike", {}),
    { metric: "alike", points: [{ value: 1 }, { time: { nanos: -1 }, value: 1 }] },
  ],
});
const manyRefusals = encode({
  series: Array.from({ length: 400 }, (_, at) => seriesOf(`bad ${at}`, {}, [now, 1])),
});
const longAnswer = { "accept-encoding": "gzip" };

const CASES: [what: string, status: number, headers: Headers, body: Uint8Array][] = [
  ["good points", 200, {}, good],
  ["good and bad points", 200, {}, mixed],
  ["an empty request", 200, {}, Buffer.alloc(0)],
  ["a request with gzip", 200, { "content-encoding": "gzip" }, gzipSync(mixed)],
  ["a request with identity", 200, { "content-encoding": "identity" }, mixed],
  ["an empty request with gzip", 200, { "content-encoding": "gzip" }, Buffer.alloc(0)],
  [
    "a request with half of its gzip",
    400,
    { "content-encoding": "gzip" },
    gzipSync(mixed).subarray(0, -9),
  ],
  ["a request that is no gzip", 400, { "content-encoding": "gzip" }, mixed],
  ["a bomb", 429, { "content-encoding": "gzip" }, gzipSync(Buffer.alloc(16 << 20))],
  ["a compression nobody knows", 501, { "content-encoding": "br" }, brotliCompressSync(mixed)],
  ["a long answer to one who takes gzip", 200, longAnswer, manyRefusals],
  ["a long answer to one who does not", 200, { "accept-encoding": "br" }, manyRefusals],
  ["a long answer to gzip", 200, { "content-encoding": "gzip" }, gzipSync(manyRefusals)],
  ["a request with time enough", 200, { "connect-timeout-ms": "30000" }, good],
  ["a request without time", 504, { "connect-timeout-ms": "0" }, good],
  ["a request with too much time", 400, { "connect-timeout-ms": "600000" }, good],
  ["a time that is no number", 400, { "connect-timeout-ms": "soon" }, good],
  ["a protocol version", 200, { "connect-protocol-version": "1" }, good],
  ["half a request", 400, {}, good.subarray(0, -1)],
  ["text", 400, {}, Buffer.from("points, please")],
  ["a tag of nothing", 400, {}, Buffer.from([0, 0])],
  ["text that is not UTF-8", 400, {}, Buffer.from([0x12, 0x04, 0x0a, 2, 0xff, 0xfe])],
  ["groups without end", 400, {}, Buffer.alloc(100_000, 0x7b)],
  ["a batch id in another alphabet", 400, {}, encode({ batchId: "größe" })],
  ["a batch id of two lines", 400, {}, encode({ batchId: "a\nb" })],
  ["a clock offset that is none", 400, {}, encode({ clockOffset: { nanos: 1_000_000_000 } })],
  ["a point beside its fields", 200, {}, Buffer.concat([good, double(15, 7)])],
  ["as many bytes as there may be", 200, {}, padded(4 << 20)],
  ["one byte too many", 429, {}, padded((4 << 20) + 1)],
  ["five megabytes", 429, {}, padded(5_000_000)],
  [
    "20,001 series",
    429,
    {},
    encode({ series: Array.from({ length: 20_001 }, () => ({ metric: "a" })) }),
  ],
  [
    "100,001 points",
    429,
    {},
    encode({ series: [{ metric: "a", points: Array.from({ length: 100_001 }, () => ({})) }] }),
  ],
  [
    "20,001 series of which the last is broken",
    400,
    {},
    Buffer.concat([
      encode({ series: Array.from({ length: 20_001 }, () => ({ metric: "a" })) }),
      Buffer.from([0x12, 0x02, 0x0a, 0x7f]),
    ]),
  ],
];

/** A request of so many bytes: an unknown field makes up the rest. */
function padded(bytes: number): Buffer {
  const rest = bytes - good.length - 5;
  const length = Buffer.alloc(4);
  for (let at = 0; at < 4; at += 1) length[at] = ((rest >> (7 * at)) & 0x7f) | (at < 3 ? 0x80 : 0);
  return Buffer.concat([good, Buffer.of(0x7a), length, Buffer.alloc(rest)]);
}

for (const [what, status, headers, body] of CASES) {
  test(`${what}: ${status} by the direct route as by the general one`, async (t) => {
    const senders = await addSenders();
    const answer = await sendAlike(t, senders, headers, body);
    t.is(answer.status, status, answer.body.toString());
    t.deepEqual(await logOf(senders.direct.keyId), await logOf(senders.general.keyId));
  });
}

test("a long answer really is compressed", async (t) => {
  const answer = await sendAlike(t, await addSenders(), longAnswer, manyRefusals);
  t.is(answer.headers["content-encoding"], "gzip");
  const response = fromBinary(WriteMetricsResponseSchema, gunzipSync(answer.body));
  t.is(response.refusals.length, 400);
});

test("strangers, people and whoever was revoked are refused alike, before their body", async (t) => {
  const revoked = await addSender(server, owner.token);
  const keys = server.client(IngestionKeyService, owner.token);
  await keys.revokeIngestionKey({ ingestionKeyId: revoked.keyId });
  const cases: [status: number, headers: Headers][] = [
    [401, {}],
    [401, bearer("nonsense")],
    [401, bearer(revoked.secret)],
    [403, bearer(owner.token)],
  ];
  for (const [status, headers] of cases) {
    for (const send of Object.values(VERSIONS)) {
      const [direct, general] = await Promise.all(
        Object.values(ROUTES).map((type) => send({ "content-type": type, ...headers }, mixed)),
      );
      t.is(direct?.status, status);
      t.deepEqual(direct, general);
    }
  }
});

test("whoever calls too often is told when to come again, whichever the route", async (t) => {
  await using busy = await startTestServer({ callsPerSecond: 1 });
  const { token } = await setUp(busy);
  const { secret } = await addSender(busy, token);
  const own = http2.connect(busy.url, { ca: busy.ca });
  const refusals = [];
  for (const type of [...Array(6).fill(ROUTES.direct), ROUTES.general, ROUTES.direct]) {
    const headers = { ":method": "POST", ":path": PATH, "content-type": type, ...bearer(secret) };
    const stream = own.request(headers);
    stream.end();
    const [answered] = await once(stream, "response");
    const [body = Buffer.alloc(0)]: Buffer[] = await stream.toArray();
    if (answered[":status"] === 200) continue;
    const { code, message, details } = JSON.parse(body.toString());
    const retry = answered["retry-after"];
    refusals.push([answered[":status"], retry, code, message, details[0].debug.reason]);
  }
  own.destroy();
  t.true(refusals.length >= 2);
  t.deepEqual(refusals, Array(refusals.length).fill(refusals[0]));
  t.is(refusals[0]?.[4], "REASON_OVERLOADED");
});

test("a workspace that is full refuses alike", async (t) => {
  const small = await addWorkspace(server, owner.token);
  await server.sql("update workspaces set series_limit = 1 where workspace_id = $1", [
    small.workspaceId,
  ]);
  const senders = {
    direct: await addSender(server, small.token),
    general: await addSender(server, small.token),
  };
  await senders.direct.metrics.writeMetrics({ series: [seriesOf("first", {}, [now, 1])] });
  const body = encode({
    series: [
      seriesOf("first", {}, [now, 1]),
      seriesOf("second", {}, [now, 1], [now, Number.NaN]),
      seriesOf("third", {}, [now, Number.NaN]),
    ],
  });
  const answer = await sendAlike(t, senders, {}, body);
  const { acceptedPoints, refusals } = fromBinary(WriteMetricsResponseSchema, answer.body);
  t.is(acceptedPoints, 1n);
  t.deepEqual(
    refusals.map(({ seriesIndex, pointIndexes }) => [seriesIndex, pointIndexes]),
    [
      [1, []],
      [2, []],
    ],
  );
});

test("a batch that comes again by the other route gets its first answer and is stored once", async (t) => {
  for (const [first, second] of [
    ["direct", "general"],
    ["general", "direct"],
  ] as const) {
    const sender = await addSender(server, owner.token);
    const headers = bearer(sender.secret);
    const answer = await overHttp2({ "content-type": ROUTES[first], ...headers }, mixed);
    const stored = await logOf(sender.keyId);
    t.true(stored.length > 0);
    t.deepEqual(await overHttp2({ "content-type": ROUTES[second], ...headers }, mixed), answer);
    t.deepEqual(await logOf(sender.keyId), stored);
  }
});

test("half a request is never acted on, when its sender goes away", async (t) => {
  const sender = await addSender(server, owner.token);
  const half = encode({ series: [seriesOf("halfway", {}, [now, 1])] });
  const whole = Buffer.concat([half, encode({ series: [seriesOf("halfway", {}, [now, 2])] })]);
  const headers = {
    "content-type": ROUTES.direct,
    "content-length": String(whole.length),
    expect: "100-continue",
    ...bearer(sender.secret),
  };
  for (const end of [http2.constants.NGHTTP2_CANCEL, http2.constants.NGHTTP2_NO_ERROR]) {
    const stream = session.request({ ":method": "POST", ":path": PATH, ...headers });
    stream.on("error", () => {});
    await once(stream, "continue");
    stream.write(half);
    // Whatever was sent before an answer to a ping has come.
    await new Promise((resolve) => session.ping(resolve));
    stream.close(end);
    await once(stream, "close");
  }
  const request = https.request(server.url + PATH, { method: "POST", agent, headers });
  request.on("error", () => {});
  request.flushHeaders();
  await once(request, "continue");
  await new Promise((resolve) => request.write(half, resolve));
  const closed = new Promise((resolve) => request.once("close", resolve));
  request.destroy();
  await closed;

  const last = encode({ batchId: "last", series: [seriesOf("halfway", {}, [now + 5, 3])] });
  const type = { "content-type": ROUTES.direct };
  t.is((await overHttp2({ ...type, ...bearer(sender.secret) }, last)).status, 200);
  t.is((await overHttp1({ ...type, ...bearer(sender.secret) }, last)).status, 200);
  const stored = (await logOf(sender.keyId)) as { batchId: string }[];
  t.deepEqual(
    stored.map(({ batchId }) => batchId),
    ["last"],
  );
});

test("what metrics mean is kept alike", async (t) => {
  const meaning = async (metric: string, type: string) => {
    const sender = await addSender(server, owner.token);
    const body = encode({
      series: [seriesOf(metric, {}, [now, 1])],
      metadata: [{ metric, kind: Kind.COUNTER, unit: "By", description: "told" }],
    });
    await overHttp2({ "content-type": type, ...bearer(sender.secret) }, body);
    const { metric: found } = await server.client(MetricQueryService, owner.token).queryRange({
      metric,
      startTime: timestampFromMs(now - 1),
      endTime: timestampFromMs(now + 1),
    });
    return [found?.kind, found?.unit, found?.description];
  };
  t.deepEqual(await meaning("meant.direct", ROUTES.direct), [Kind.COUNTER, "By", "told"]);
  t.deepEqual(await meaning("meant.general", ROUTES.general), [Kind.COUNTER, "By", "told"]);
});

test("random and broken bodies come to the same by both routes: answers and what is stored", async (t) => {
  const senders = await addSenders({ site: "north" });
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(encodedRequests(now), async (body) => {
      const [direct, general] = await Promise.all(
        (["direct", "general"] as const).map((route) =>
          overHttp2({ "content-type": ROUTES[route], ...bearer(senders[route].secret) }, body),
        ),
      );
      t.deepEqual(direct, general);
      const status = direct?.status ?? 0;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }),
    { numRuns: 250 },
  );
  const stored = await logOf(senders.direct.keyId);
  t.log(Object.fromEntries(statuses), `${stored.length} runs stored`);
  t.true((statuses.get(200) ?? 0) > 20 && (statuses.get(400) ?? 0) > 20);
  t.true(stored.length > 5);
  t.deepEqual(stored, await logOf(senders.general.keyId));
});
