import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { randomFrom } from "../../edge/queue/fixtures.ts";
import { ANY_CREDENTIAL, type TestRelay } from "../../support/relay.ts";
import {
  hopOf,
  isMalformed,
  type PlannedExchange,
  planExchange,
  type RawHeaders,
} from "./exchange.ts";
import { hashOf, NUMBER, type Recorder, type Seen } from "./recorder.ts";

export interface Comparison {
  /** How many exchanges of each kind there were. */
  kinds: Map<string, number>;
  /** In words, each with the number of its exchange. */
  differences: string[];
}

const AT_ONCE = 16;

/** Sends random calls through a relay, gets random answers, and compares what both ends saw. */
export async function compareBytes(options: {
  relay: TestRelay;
  recorder: Recorder;
  seed: number;
  count: number;
}): Promise<Comparison> {
  const { relay, recorder, seed, count } = options;
  const random = randomFrom(seed);
  const plans = Array.from({ length: count }, (_, number) => planExchange(number, random));
  const kinds = new Map<string, number>();
  const differences: string[] = [];
  using agents = makeAgents(relay);

  const one = async (plan: PlannedExchange) => {
    const { number, version, isSecure, reply } = plan;
    const kind = `HTTP/${version} ${isSecure ? "over TLS" : "in cleartext"}, answer ${isMalformed(reply) ? "malformed" : reply.kind}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    const asked = recorder.expect(plan);
    const got = await agents.send(plan);
    const differ = (what: string, is: unknown, should: unknown) => {
      if (JSON.stringify(is) === JSON.stringify(should)) return;
      differences.push(
        `exchange ${number}, ${kind}, ${reply.kind}, ${what}:\n  is     ${JSON.stringify(is)}\n  should ${JSON.stringify(should)}`,
      );
    };
    // What was never answered need not have arrived as a whole.
    if (!isMalformed(reply)) compareRequest(plan, await asked, differ);
    compareAnswer(plan, got, differ);
  };
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (let plan = plans.pop(); plan; plan = plans.pop()) await one(plan);
  });
  await Promise.all(workers);
  return { kinds, differences };
}

type Differ = (what: string, is: unknown, should: unknown) => void;

/** Without what HTTP/1.1 says of the connection at hand. */
const without = (headers: RawHeaders, ...names: string[]) =>
  headers.filter((_, i) => !names.includes((headers[i - (i % 2)] ?? "").toLowerCase()));

function compareRequest(plan: PlannedExchange, seen: Seen, differ: Differ): void {
  differ("method and target", seen.head, `${plan.method} ${plan.target}`);
  const expected = [...plan.passedOn, NUMBER, String(plan.number), ...hopOf(ANY_CREDENTIAL)];
  differ("headers", without(seen.headers, "host", "transfer-encoding"), expected);
  differ("body", seen.bodySha256, hashOf(plan.body));
}

function compareAnswer({ reply }: PlannedExchange, got: Seen | undefined, differ: Differ): void {
  if (isMalformed(reply)) {
    // The collector's own word, or a connection that breaks; never an answer that looks whole.
    const isOwn = got?.head === "503 Service Unavailable" || got?.headers.includes("grpc-status");
    if (got && !isOwn) differ("outcome", got, "the collector's own word, or a broken connection");
    return;
  }
  differ("status", got?.head, `${reply.status} ${reply.reason}`);
  differ("headers", got && without(got.headers, "transfer-encoding"), reply.headers);
  differ("body", got?.bodySha256, hashOf(reply.body));
  differ("trailers", got?.trailers, reply.trailers);
}

/** Clients that say what they are told to, and nothing more. */
function makeAgents(relay: TestRelay) {
  const keepAlive = { keepAlive: true, maxSockets: AT_ONCE };
  const secure = new https.Agent({ ...keepAlive, ca: relay.ca });
  const cleartext = new http.Agent(keepAlive);
  const verbatim: object = { strictSingleValueFields: false };
  const sessions = [
    http2.connect(relay.secure.url, { ca: relay.ca, ...verbatim }),
    http2.connect(relay.cleartext.url, verbatim),
  ];
  for (const session of sessions) session.on("error", () => {});

  const send1 = (plan: PlannedExchange) =>
    new Promise<Seen | undefined>((resolve) => {
      const { method, target: path, isSecure, isChunked, body } = plan;
      const headers = [
        ...["Host", "localhost", ...plan.headers, NUMBER, String(plan.number)],
        ...(isChunked ? ["Transfer-Encoding", "chunked"] : []),
      ];
      const own = { host: "localhost", port: relay.port, method, path, headers };
      const bare = { setDefaultHeaders: false, setHost: false };
      const request = isSecure
        ? https.request({ ...own, ...bare, agent: secure })
        : http.request({ ...own, ...bare, agent: cleartext });
      request.on("error", () => resolve(undefined));
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", () => resolve(undefined));
        response.on("end", () =>
          resolve({
            head: `${response.statusCode} ${response.statusMessage}`,
            headers: response.rawHeaders,
            bodySha256: hashOf(chunks),
            trailers: response.rawTrailers,
          }),
        );
      });
      for (const piece of body) request.write(piece);
      request.end();
    });

  const send2 = (plan: PlannedExchange) =>
    new Promise<Seen | undefined>((resolve) => {
      const session = sessions[plan.isSecure ? 0 : 1];
      const stream = session?.request(
        [
          ...[":method", plan.method, ":scheme", "https", ":authority", "localhost"],
          ...[":path", plan.target, ...plan.headers, NUMBER, String(plan.number)],
        ],
        { endStream: plan.body.length === 0 && plan.method === "GET" },
      );
      if (!stream) return resolve(undefined);
      const chunks: Buffer[] = [];
      let headers: RawHeaders = [];
      let trailers: RawHeaders = [];
      stream.on("response", (_headers, _flags, raw: RawHeaders) => {
        headers = raw;
      });
      stream.on("trailers", (_headers, _flags, raw: RawHeaders) => {
        trailers = raw;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", () => {});
      stream.on("close", () => {
        if (headers.length === 0 || stream.rstCode !== 0) return resolve(undefined);
        const [, status, ...rest] = headers;
        resolve({ head: `${status} `, headers: rest, bodySha256: hashOf(chunks), trailers });
      });
      if (plan.body.length === 0 && plan.method === "GET") return;
      for (const piece of plan.body) stream.write(piece);
      stream.end();
    });

  return {
    send: (plan: PlannedExchange) => (plan.version === "2" ? send2(plan) : send1(plan)),
    [Symbol.dispose]() {
      secure.destroy();
      cleartext.destroy();
      for (const session of sessions) session.destroy();
    },
  };
}
