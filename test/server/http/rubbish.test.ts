import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { startBystander } from "../../support/bystander.ts";
import { frame, headers, PREFACE, settings } from "../../support/frames.ts";
import { connectRaw } from "../../support/raw.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";

const CONNECTIONS = 300;
const AT_ONCE = 12;

/** The same rubbish for the same seed. */
function makeRubbish(seed: number, token: string) {
  let state = seed;
  const below = (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const pick = <T>(...options: T[]) => options[below(options.length)] as T;
  const path = () =>
    pick(
      "/lumetry.v1.ZoneService/ListZones",
      "/lumetry.v1.ZoneService/CreateZone",
      "/lumetry.ingest.v1.MetricsService/WriteMetrics",
      "/grpc.health.v1.Health/Check",
      "/grpc.health.v1.Health/Watch",
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "/readyz",
      "/metrics",
    );
  const type = () =>
    `application/${pick("json", "proto", "grpc", "grpc-web", "connect+json", "connect+proto", "grpc-web-text")}`;
  const header = () =>
    pick<[string, string]>(
      ["authorization", `Bearer ${token}`],
      ["authorization", `Bearer ${token}`],
      ["expect", "100-continue"],
      ["content-encoding", "gzip"],
      ["grpc-encoding", "gzip"],
      ["connect-timeout-ms", "1"],
      ["grpc-timeout", "1m"],
      ["connect-protocol-version", "9"],
      ["content-length", "7"],
      ["transfer-encoding", "chunked"],
    );
  const bytes = () => {
    const body = Buffer.from(Array.from({ length: below(60) }, () => below(256)));
    if (below(2) && body.length > 5) body.writeUIntBE(body.length - 5, 0, 5); // an envelope
    return body;
  };
  const damage = (whole: Buffer) => {
    if (below(2)) return whole;
    const damaged = Buffer.from(whole);
    for (let i = below(4); i > 0; i -= 1) damaged[below(damaged.length)] = below(256);
    return below(3) ? damaged : damaged.subarray(0, below(damaged.length));
  };
  const http1 = () => {
    const lines = Array.from({ length: below(4) }, () => header().join(": "));
    const method = pick("POST", "POST", "GET", "HEAD", "PUT");
    const head = [
      `${method} ${path()} HTTP/1.${below(2)}`,
      "host: here",
      `content-type: ${type()}`,
    ];
    return Buffer.concat([Buffer.from(`${[...head, ...lines].join("\r\n")}\r\n\r\n`), bytes()]);
  };
  const http2 = (stream: number) => {
    const fields: [string, string][] = [
      [":method", pick("POST", "POST", "GET", "HEAD", "CONNECT")],
      [":scheme", "https"],
      [":path", path()],
      [":authority", pick("here", "[", "", "x y")],
      ["content-type", type()],
      ...Array.from({ length: below(3) }, header),
    ];
    const more = Array.from({ length: below(3) }, () =>
      frame(
        pick(0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 200),
        below(2) && below(256),
        pick(stream, 0),
        bytes(),
      ),
    );
    return Buffer.concat([
      headers(stream, below(3) ? 0 : 1, fields),
      ...more,
      frame(0, 1, stream, bytes()),
    ]);
  };

  return () => {
    const isHttp2 = below(2) === 1;
    const requests = Array.from({ length: 1 + below(4) }, (_, i) =>
      damage(isHttp2 ? http2(2 * i + 1) : http1()),
    );
    const start = isHttp2 ? [damage(Buffer.concat([PREFACE, settings()]))] : [];
    return {
      isHttp2,
      pieces: [...start, ...requests],
      patience: below(60),
      isRude: below(2) === 1,
    };
  };
}

test(`${CONNECTIONS} connections of rubbish stop the server from nothing`, async (t) => {
  await using server = await startTestServer();
  await using cleartext = await startTestServer({ tls: "off" });
  const { token } = await setUp(server);
  const bystander = startBystander(server, token);
  const seed = Number(process.env.LUMETRY_TEST_SEED ?? randomInt(2 ** 32 - 1));
  t.log(`LUMETRY_TEST_SEED=${seed}`);
  const rubbish = makeRubbish(seed, token);

  let left = CONNECTIONS;
  const spoil = async (target: TestServer) => {
    const { isHttp2, pieces, patience, isRude } = rubbish();
    const tls = target.ca ? { ca: target.ca, alpn: [isHttp2 ? "h2" : "http/1.1"] } : {};
    using connection = await connectRaw(Number(new URL(target.url).port), tls);
    for (const piece of pieces) connection.write(piece);
    await Promise.race([connection.closed(), sleep(patience)]);
    if (!isRude) connection.socket.end();
  };
  const keepSpoiling = async (target: TestServer) => {
    while (left > 0) {
      left -= 1;
      await spoil(target);
    }
  };
  await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) => keepSpoiling(i % 2 ? server : cleartext)),
  );

  const { served, failures } = await bystander.stop();
  t.deepEqual(failures, []);
  t.true(served > 2);
});
