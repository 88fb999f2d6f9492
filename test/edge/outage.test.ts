import { rm } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { readStatus } from "../../edge/status.ts";
import { QueueHealth_Drop_Reason as DropReason } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { isOldestFirst, readArrivals } from "../support/arrivals.ts";
import { askStatus } from "../support/collector-process.ts";
import { eventually } from "../support/eventually.ts";
import { direct, install } from "../support/installation.ts";
import { startProxy } from "../support/proxy.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

test("with the server down at its start it collects all the same, and what it has arrives later, oldest first", async (t) => {
  await using installation = await install(server, owner);
  await using proxy = await startProxy(server);
  await proxy.refuse();
  const collector = installation.startLoaded({}, { routes: direct(proxy.url) });
  const status = await eventually("points are queued", async () => {
    const now = await collector.status();
    return now && now.queue.queuedPoints >= 200 && now;
  });
  t.is(status.state, "enrolling");
  t.regex(status.problem ?? "", /ECONNREFUSED/);
  await proxy.pass();
  await collector.drain();
  t.is(collector.ending?.code, 0);
  const runs = await readArrivals(server, installation.collectorId);
  const serials = runs.flatMap(({ values }) => values);
  const last = Math.max(...serials);
  t.is(serials.length, last * 10);
  t.deepEqual(
    [...new Set(serials)],
    Array.from({ length: last }, (_, index) => index + 1),
  );
  t.true(isOldestFirst(runs));
});

test("it outlives cut connections, a silent network and a slow one, and says meanwhile that it is offline", async (t) => {
  await using installation = await install(server, owner);
  await using proxy = await startProxy(server);
  const collector = installation.startLoaded({}, { routes: direct(proxy.url) });
  await installation.connected(collector);
  for (let cut = 0; cut < 3; cut += 1) {
    proxy.cut();
    await installation.heartbeats(1);
  }
  await proxy.refuse();
  await eventually("it says that it is offline", async () => {
    return (await collector.status())?.state === "offline";
  });
  const { code, output } = await askStatus(installation.dataDir, "--json");
  t.is(code, 1);
  t.regex(JSON.parse(output).problem, /ECONNREFUSED|ECONNRESET/);
  await proxy.hang();
  await proxy.pass(150);
  await installation.connected(collector);
  await collector.drain();
  const runs = await readArrivals(server, installation.collectorId);
  const serials = runs.flatMap(({ values }) => values);
  const last = Math.max(...serials);
  t.is(serials.length, last * 10);
  t.is(new Set(serials).size, last);
  t.true(isOldestFirst(runs));
});

test("a server whose authority it does not know hears nothing, and the log and the status say why", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start({ caFile: undefined });
  const status = await eventually("it says why it cannot enroll", async () => {
    const now = await collector.status();
    return now?.problem !== undefined && now;
  });
  t.is(status.state, "enrolling");
  t.regex(status.problem ?? "", /certificate.*--ca/);
  t.regex(collector.errors, /cannot enroll yet/);
  t.deepEqual(await installation.credentials(), {});
  t.is((await collector.stop()).code, 0);
});

test("a way to the server that is not encrypted must be accepted, and is then shown to operators", async (t) => {
  await using cleartext = await startTestServer({ heartbeatInterval: 1000, tls: "off" });
  await using installation = await install(cleartext, await setUp(cleartext));
  t.regex(cleartext.url, /^http:/);
  const refused = await installation.start({ flags: [] }).ended;
  t.is(refused.code, 2);
  t.regex(refused.errors, /is not encrypted.*--allow-cleartext true/);
  const collector = installation.start();
  await installation.connected(collector);
  t.regex(collector.errors, /the way to the server is not encrypted/);
  t.deepEqual((await collector.status())?.warnings, ["CLEARTEXT_UPSTREAM"]);
  const { attention } = await installation.shown();
  t.deepEqual(
    attention.map(({ message }) => message),
    ["Its way to this server is not encrypted."],
  );
});

test("a queue that somebody deleted is missed: log and ledger tell what had waited in it", async (t) => {
  await using installation = await install(server, owner);
  await using proxy = await startProxy(server);
  const first = installation.startLoaded({}, { routes: direct(proxy.url) });
  await installation.connected(first);
  await proxy.refuse();
  const { queue } = await eventually("points wait", async () => {
    const status = await first.status();
    return status && status.queue.queuedPoints > 100 && status;
  });
  await first.kill();
  const points = (await readStatus(installation.dataDir))?.queue.queuedPoints ?? 0;
  t.true(points >= queue.queuedPoints);
  await rm(path.join(installation.dataDir, "queue"), { recursive: true });
  await proxy.pass();
  const second = installation.startLoaded({}, { routes: direct(proxy.url) });
  await installation.connected(second);
  t.regex(second.errors, /the queue was deleted, with what waited in it/);
  const drops = await eventually("the server knows", async () => {
    const ledger = await server
      .client(CollectorService, owner.token)
      .listCollectorDrops({ collectorId: installation.collectorId });
    return ledger.drops.length > 0 && ledger.drops;
  });
  t.like(drops, [{ points: BigInt(points), reason: DropReason.DAMAGE }]);
  t.is((await second.stop()).code, 0);
});
