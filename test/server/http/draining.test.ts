import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import test, { type ExecutionContext } from "ava";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../../gen/grpc/health/v1/health_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { connectRaw } from "../../support/raw.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";

const portOf = ({ url }: TestServer) => Number(new URL(url).port);

/** A call whose body is held back, so that it runs for as long as the test wants. */
async function startCall(server: TestServer, token: string, name: string) {
  const connection = await connectRaw(portOf(server), server);
  const body = JSON.stringify({ displayName: name });
  connection.write(
    "POST /lumetry.v1.ZoneService/CreateZone HTTP/1.1\r\nHost: here\r\n" +
      `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
      `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await connection.until(/100 Continue/); // it runs
  return { connection, finish: () => connection.write(body) };
}

async function isRefused(server: TestServer): Promise<boolean> {
  using late = await connectRaw(portOf(server), server);
  return late.isClosed && late.error !== undefined;
}

test("a server that stops finishes what runs, ends what lasts, and takes nothing new", async (t) => {
  await using server = await startTestServer();
  const { token } = await setUp(server);
  const call = await startCall(server, token, "in time");
  using connection = call.connection;

  const told: Status[] = [];
  const watch = (async () => {
    const health = createClient(Health, server.transport({ protocol: "grpc" }));
    for await (const { status } of health.watch({})) told.push(status);
  })();
  const watched = t.throwsAsync(watch, { instanceOf: ConnectError });
  await eventually("the watcher is told of the start", () => told.length === 1);

  const stopping = server.server[Symbol.asyncDispose]();
  let stopped = false;
  stopping.then(() => {
    stopped = true;
  });
  await eventually("the watcher is told of the end", () => told.length === 2);
  t.deepEqual(told, [Status.SERVING, Status.NOT_SERVING]);
  t.true(await isRefused(server));
  t.false(stopped);

  call.finish();
  t.regex(await connection.closed(), /HTTP\/1.1 200 .*connection: close.*in time/s);
  t.is((await watched)?.code, Code.Unavailable);
  await Promise.all([stopping, server.server[Symbol.asyncDispose]()]);
  const zones = await server.sql("select 1 from zones where display_name = 'in time'");
  t.is(zones.length, 1);
});

test("a call that takes longer than the server waits is broken off", async (t) => {
  await using server = await startTestServer({ drainTimeout: 100 });
  const { token } = await setUp(server);
  const call = await startCall(server, token, "too late");
  using connection = call.connection;
  await server.server[Symbol.asyncDispose]();
  t.notRegex(await connection.closed(), /200 OK/);
  t.deepEqual(await server.sql("select 1 from zones where display_name = 'too late'"), []);
});

test("a server can be stopped at once after it started, and twice", async (t) => {
  const server = await startTestServer();
  await Promise.all([server.server[Symbol.asyncDispose](), server.server[Symbol.asyncDispose]()]);
  await server[Symbol.asyncDispose]();
  t.true(await isRefused(server));
});

test("calls that come while the server stops are told to come again, or not let in", async (t) => {
  await using server = await startTestServer();
  const { token } = await setUp(server);
  const zones = (["1.1", "2"] as const).map((httpVersion) =>
    createClient(ZoneService, server.transport({ token, httpVersion })),
  );
  let going = true;
  const codes = new Set<Code>();
  const callers = zones.map(async (client) => {
    while (going) {
      await client.listZones({}).catch((error) => codes.add(ConnectError.from(error).code));
    }
  });
  await sleep(50);
  await server.server[Symbol.asyncDispose]();
  going = false;
  await Promise.all(callers);
  retriable(t, codes);
});

/** No client takes any of these for an answer to its request. */
function retriable(t: ExecutionContext, codes: Set<Code>) {
  const known = [Code.Unavailable, Code.Aborted, Code.Canceled, Code.Internal];
  t.deepEqual(
    [...codes].filter((code) => !known.includes(code)),
    [],
  );
}
