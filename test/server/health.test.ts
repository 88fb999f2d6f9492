import { Code, createClient } from "@connectrpc/connect";
import test from "ava";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/grpc/health/v1/health_pb.js";
import { eventually } from "../support/eventually.ts";
import { takeDatabaseAway } from "../support/outage.ts";
import { send } from "../support/post.ts";
import { refused } from "../support/refusal.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
test.before(async () => {
  server = await startTestServer();
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const statusOf = async (from: TestServer) => (await health(from).check({})).status;
const health = (from = server) => createClient(Health, from.transport({ protocol: "grpc" }));

test("the server and each of its services are serving, without a credential", async (t) => {
  for (const service of ["", "lumetry.v1.ZoneService", "grpc.health.v1.Health"]) {
    t.is((await health().check({ service })).status, Status.SERVING);
  }
});

test("a service that is not there is not found, and watched as unknown", async (t) => {
  const { code, message } = await refused(health().check({ service: "lumetry.v1.Nothing" }));
  t.is(code, Code.NotFound);
  t.regex(message, /no service "lumetry.v1.Nothing"/);
  for await (const { status } of health().watch({ service: "lumetry.v1.Nothing" })) {
    t.is(status, Status.SERVICE_UNKNOWN);
    break;
  }
});

test("one address may watch only so often", async (t) => {
  await using busy = await startTestServer();
  const stop = new AbortController();
  const watches = Array.from({ length: 32 }, () =>
    health(busy).watch({}, { signal: stop.signal })[Symbol.asyncIterator](),
  );
  await Promise.all(watches.map((watch) => watch.next()));
  const oneMore = health(busy).watch({})[Symbol.asyncIterator]();
  t.is((await refused(oneMore.next())).code, Code.ResourceExhausted);
  stop.abort();
  await Promise.allSettled(watches.map((watch) => watch.next()));
  await eventually("there is room again", async () => {
    const again = health(busy).watch({})[Symbol.asyncIterator]();
    const status = await again.next().catch(() => undefined);
    await again.return?.();
    return status;
  });
});

test("while the database is away the server is neither ready nor serving, and says so", async (t) => {
  await using struck = await startTestServer();
  const readyz = async () => {
    const response = await fetchOver(struck, "/readyz");
    return `${response.status} ${response.text}`;
  };
  const told: Status[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    const watch = health(struck).watch({}, { signal: stop.signal });
    for await (const { status } of watch) told.push(status);
  })().catch(() => {});
  await eventually("the watcher is told of the start", () => told.length === 1);
  {
    await using _outage = await takeDatabaseAway(struck);
    await eventually("the outage shows", async () => (await statusOf(struck)) !== Status.SERVING);
    t.regex(await readyz(), /^503 .*"reasons":\["the database cannot be reached"\]/);
    t.regex(`${(await fetchOver(struck, "/healthz")).status}`, /200/);
    await eventually("the watcher is told of the outage", () => told.length === 2);
  }
  await eventually("it is over", async () => (await statusOf(struck)) === Status.SERVING);
  t.regex(await readyz(), /^200 /);
  await eventually("the watcher is told so", () => told.length === 3);
  t.deepEqual(told, [Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
  stop.abort();
  await watching;
});

const fetchOver = (target: TestServer, path: string) => send(target, { ":path": path });
