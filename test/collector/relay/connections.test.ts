import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import test from "ava";
import type { Answering } from "../../../collector/relay/http1/asking.ts";
import { makeHttp1ServerSide } from "../../../collector/relay/http1/server-side.ts";
import { defaultRelayLimits } from "../../../collector/relay/limits.ts";
import { makeUpstream } from "../../../collector/relay/upstream.ts";
import { systemClock as clock } from "../../../lib/clock.ts";

const WRITE = "/lumetry.ingest.v1.MetricsService/WriteMetrics";
const HEARTBEAT = "/lumetry.edge.v1.HeartbeatService/SendHeartbeat";

test("writes of points go by connections that have carried nothing else, as long as some are idle", async (t) => {
  /** What each connection has carried, in order of the first call on it. */
  const carried = new Map<unknown, string[]>();
  const held: http.ServerResponse[] = [];
  const server = http.createServer((request, response) => {
    const before = carried.get(request.socket) ?? [];
    carried.set(request.socket, [...before, request.url === WRITE ? "write" : "heartbeat"]);
    request.resume().on("end", () => held.push(response));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const upstream = makeUpstream({ server: `http://127.0.0.1:${port}`, ca: undefined, clock });
  const side = makeHttp1ServerSide({ upstream, limits: defaultRelayLimits, clock });

  /** Makes calls at one time, and answers them when all have come. */
  const callAll = async (...targets: string[]) => {
    const ended = targets.map(
      (target) =>
        new Promise<void>((resolve, reject) => {
          const none = () => {};
          const answering: Answering = {
            ...{
              onContinue: none,
              onAnswer: none,
              onAnswerBody: none,
              onFlush: none,
              onDrain: none,
            },
            onAnswerEnd: () => resolve(),
            onFail: reject,
          };
          const ask = side.ask(answering, target, "application/proto");
          ask.add(`POST ${target} HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n`);
          ask.end();
          ask.flush();
        }),
    );
    while (held.length < targets.length) await once(server, "request");
    for (const response of held.splice(0)) response.end();
    await Promise.all(ended);
  };

  await callAll(WRITE, WRITE, WRITE);
  for (let round = 0; round < 5; round += 1) {
    await callAll(HEARTBEAT);
    await callAll(WRITE, WRITE);
  }
  await callAll(WRITE, WRITE, WRITE, WRITE);
  t.is(carried.size, 4);
  const mixed = [...carried.values()].filter((calls) => calls.includes("heartbeat"));
  t.is(mixed.length, 1);
  t.deepEqual(mixed[0], ["write", ...Array(5).fill("heartbeat"), "write"]);
  side.close();
  server.closeAllConnections();
  server.close();
});
