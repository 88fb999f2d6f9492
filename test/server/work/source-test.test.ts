import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import { Capability } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  ProblemSchema,
  Problem_Reason as Reason,
} from "../../../gen/lumetry/access/v1/problem_pb.js";
import type { SourceSettingsSchema } from "../../../gen/lumetry/source/v1/settings_pb.js";
import {
  type ListSourcesRequestSchema,
  SourceService,
  Source_Status as Status,
  type TestSourceRequestSchema,
  type TestSourceResponse,
} from "../../../gen/lumetry/v1/source_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import {
  addSource,
  addWorker,
  assigned,
  reading,
  slowDown,
  tcpCheck,
} from "../../support/worker.ts";

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  await slowDown(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

async function addZone(displayName: string) {
  const { zone } = await server.client(ZoneService, owner.token).createZone({ displayName });
  return { token: owner.token, zoneId: zone?.zoneId ?? "" };
}

const query: MessageInitShape<typeof SourceSettingsSchema> = {
  kind: {
    case: "postgresQuery",
    value: {
      target: { host: "db.internal", port: 5432 },
      database: "shop",
      username: "reader",
      query: "select count(*) as orders from orders",
      metrics: [{ column: "orders", metric: "shop.orders" }],
    },
  },
};

const draftOf = (zoneId: string): MessageInitShape<typeof TestSourceRequestSchema> => ({
  target: {
    case: "draft",
    value: {
      zoneId,
      settings: query,
      secrets: { password: "hunter2-but-longer" },
      timeout: durationFromMs(5_000),
    },
  },
});

test("whoever tests a source sees who does it, what happens, and the result", async (t) => {
  const zone = await addZone("progress");
  const worker = await addWorker(server, zone);
  await worker.claim();
  // It waits for work when the test is asked for.
  const waiting = worker.claim({ wait: durationFromMs(10_000) });
  const events: TestSourceResponse["event"][] = [];
  const watching = (async () => {
    const sources = server.client(SourceService, owner.token);
    for await (const { event } of sources.testSource(draftOf(zone.zoneId))) events.push(event);
  })();

  const [item] = await waiting;
  if (item?.task.case !== "test") throw new Error("no test came");
  t.is(item.task.value.secrets?.password, "hunter2-but-longer");
  t.is(item.executionBudget?.seconds, 5n);
  const claim = { workId: item.workId, claimToken: item.claimToken, fence: item.fence };
  const { processId } = worker;
  for (const [phase, message] of [
    ["connect", "connecting to 10.0.0.7:5432"],
    ["query", "waiting for rows"],
  ] as const) {
    await worker.calls.reportProgress({ processId, claim, phase, message });
  }
  await worker.report(item, reading(17));
  await watching;

  t.deepEqual(
    events.map(({ case: kind }) => kind),
    ["queued", "started", "progress", "progress", "result"],
  );
  const [queued, started, first, , result] = events;
  t.is(queued?.case === "queued" && queued.value.collectors, 1);
  t.is(started?.case === "started" && started.value.collectorId, worker.collectorId);
  t.is(first?.case === "progress" && first.value.message, "connecting to 10.0.0.7:5432");
  t.is(result?.case === "result" && result.value.series[0]?.points[0]?.value, 17);
  t.deepEqual(
    await server.sql("select from metrics where metric = 'answer'"),
    [],
    "nothing stored",
  );
  await eventually("nothing is left", async () => {
    const left = await server.sql("select from work_items where kind = 'test'");
    return left.length === 0;
  });
});

test("a stored source is tested with its secrets, which nobody is shown", async (t) => {
  const zone = await addZone("stored");
  const worker = await addWorker(server, zone, [Capability.TEST_SOURCE]);
  await worker.claim();
  const source = await addSource(server, zone, {
    settings: query,
    secrets: { password: "a-stored-password" },
  });
  const waiting = worker.claim({ wait: durationFromMs(10_000) });
  const sources = server.client(SourceService, owner.token);
  const stream = sources.testSource({ target: { case: "sourceId", value: source.sourceId } });
  const done = (async () => {
    for await (const _event of stream) {
      // Until the result.
    }
  })();
  const [item] = await waiting;
  t.is(item?.task.case === "test" && item.task.value.secrets?.password, "a-stored-password");
  if (item) await worker.report(item, reading(1));
  await done;
  const shown = JSON.stringify(
    await sources.getSource({ sourceId: source.sourceId }),
    (_, value) => (typeof value === "bigint" ? String(value) : value),
  );
  t.false(shown.includes("a-stored-password"));
  t.true(shown.includes('"password":true'));
});

test("a person who leaves ends the test: whoever runs it is told to stop", async (t) => {
  const zone = await addZone("leaving");
  const worker = await addWorker(server, zone);
  await worker.claim();
  const leaving = new AbortController();
  const stream = server
    .client(SourceService, owner.token)
    .testSource(draftOf(zone.zoneId), { signal: leaving.signal });
  const watching = (async () => {
    for await (const { event } of stream) if (event.case === "started") leaving.abort();
  })();
  const [item] = await worker.claim({ wait: durationFromMs(10_000) });
  if (!item) throw new Error("no test came");
  await t.throwsAsync(watching);
  await eventually("the lease is lost", async () => (await worker.renew(item)) === undefined);
  const lost = await t.throwsAsync(
    worker.calls.reportProgress({
      processId: worker.processId,
      claim: { workId: item.workId, claimToken: item.claimToken, fence: item.fence },
      phase: "x",
    }),
    { instanceOf: ConnectError },
  );
  t.is(lost?.findDetails(ProblemSchema)[0]?.reason, Reason.STALE_CLAIM);
  t.is((await worker.report(item, reading(1))).problem?.reason, Reason.STALE_CLAIM);
});

test("where nobody can do it, that is said at once", async (t) => {
  const zone = await addZone("empty");
  const poller = await addWorker(server, zone, [Capability.POLL_SOURCE]);
  await poller.claim();
  const stream = server.client(SourceService, owner.token).testSource(draftOf(zone.zoneId));
  const error = await t.throwsAsync(
    (async () => {
      for await (const _event of stream) t.fail("nothing can happen");
    })(),
    { instanceOf: ConnectError, message: /grant it the capability test_source/ },
  );
  t.is(error?.code, Code.FailedPrecondition);
  t.is(error?.findDetails(ProblemSchema)[0]?.reason, Reason.NO_COLLECTOR);
});

test("a collector gets what was granted and what it asks for, and nothing else", async (t) => {
  const zone = await addZone("granted");
  const other = await addZone("other");
  const worker = await addWorker(server, zone, [Capability.POLL_SOURCE]);
  const elsewhere = await addWorker(server, other);
  const capable = await addWorker(server, zone);
  for (const one of [worker, elsewhere, capable]) await one.claim();
  const stopping = new AbortController();
  const stream = server
    .client(SourceService, owner.token)
    .testSource(draftOf(zone.zoneId), { signal: stopping.signal });
  const watching = (async () => {
    for await (const _event of stream) {
      // Until it is given up.
    }
  })();
  await eventually("the test is due", async () => {
    return (await server.sql("select from work_items where kind = 'test' and state = 'due'"))[0];
  });
  t.deepEqual(await worker.claim(), [], "not granted");
  t.deepEqual(await elsewhere.claim(), [], "another zone's");
  t.deepEqual(await capable.claim({ capabilities: [Capability.POLL_SOURCE] }), [], "not declared");
  t.deepEqual(await capable.claim({ mostTests: 0 }), [], "no free slot");
  t.is((await capable.claim()).length, 1);
  stopping.abort();
  await t.throwsAsync(watching);
});

test("sources are found by name, target, id and status, and are counted", async (t) => {
  const sources = server.client(SourceService, owner.token);
  const zone = await addZone("found");
  const add = (displayName: string, host: string, paused = false) =>
    addSource(server, zone, { displayName, settings: tcpCheck(host, 5432), paused });
  const orders = await add("orders", "db-1.internal");
  await add("100% of it", "db-2.internal", true);
  await add("mail", "mx.internal");
  const find = async (filter: MessageInitShape<typeof ListSourcesRequestSchema>) => {
    const found = await sources.listSources({ zoneId: zone.zoneId, ...filter });
    t.is(Number(found.totalSize), found.sources.length);
    return found.sources.map(({ displayName }) => displayName);
  };
  t.deepEqual(await find({ search: "DB-" }), ["100% of it", "orders"]);
  t.deepEqual(await find({ search: "0%" }), ["100% of it"]);
  t.deepEqual(await find({ search: orders.sourceId }), ["orders"]);
  t.deepEqual(await find({ search: "no such" }), []);
  t.deepEqual(await find({ statuses: [Status.PAUSED] }), ["100% of it"]);
  t.deepEqual(await find({ statuses: [Status.UNASSIGNED], search: "mail" }), ["mail"]);
  t.deepEqual(await find({ statuses: [Status.UP, Status.DOWN, Status.LATE, Status.WAITING] }), []);
  const worker = await addWorker(server, zone);
  await worker.claim();
  await assigned(server, orders.sourceId, worker.collectorId);
  t.deepEqual(await find({ statuses: [Status.WAITING] }), ["mail", "orders"]);
  const page = await sources.listSources({ zoneId: zone.zoneId, pageSize: 1 });
  t.deepEqual([page.sources.length, page.totalSize], [1, 3n]);
});

test("mistakes in settings are told in words before anything is stored", async (t) => {
  const sources = server.client(SourceService, owner.token);
  const zone = await addZone("mistakes");
  const create = (more: Parameters<typeof addSource>[2]) => addSource(server, zone, more);
  const http = (url: string) =>
    ({ kind: { case: "httpCheck", value: { http: { url } } } }) as const;
  const attempts: [Parameters<typeof addSource>[2], RegExp][] = [
    [{ settings: http("http://user:pw@example.com/") }, /user name or password/],
    [{ settings: http("http://exa mple.com/") }, /url/],
    [{ settings: tcpCheck("not a host", 80) }, /host/],
    [{ secrets: { password: "x" } }, /no use for a password/],
    [{ settings: http("http://a.example/"), secrets: { password: "x" } }, /username/],
    [{ interval: durationFromMs(5_500) }, /whole number of seconds/],
    [{ timeout: durationFromMs(20_000) }, /longer than the interval/],
    [{ labels: { "lumetry.source_id": "mine" } }, /Lumetry's own/],
    [{ interval: durationFromMs(1_000) }, /interval/],
  ];
  for (const [more, words] of attempts) {
    const error = await t.throwsAsync(create(more), { instanceOf: ConnectError, message: words });
    t.is(error?.code, Code.InvalidArgument, words.source);
  }
  t.deepEqual((await sources.listSources({ zoneId: zone.zoneId })).sources, []);
});

test("secrets are bound to their host: settings that lead elsewhere need them anew", async (t) => {
  const sources = server.client(SourceService, owner.token);
  const zone = await addZone("bound");
  const settings = (url: string) =>
    ({ kind: { case: "prometheusScrape", value: { http: { url } } } }) as const;
  const { sourceId } = await addSource(server, zone, {
    settings: settings("https://exporter.internal/metrics"),
    secrets: { bearerToken: "a-token" },
  });
  for (const url of [
    "https://attacker.example/metrics",
    "https://exporter.internal:8443/metrics",
    "http://exporter.internal:443/metrics",
  ]) {
    const error = await t.throwsAsync(sources.updateSource({ sourceId, settings: settings(url) }), {
      instanceOf: ConnectError,
      message: /bound to https:\/\/exporter.internal:443/,
    });
    t.is(error?.code, Code.FailedPrecondition);
  }
  const { source } = await sources.updateSource({
    sourceId,
    settings: settings("https://EXPORTER.internal:443/other"),
  });
  t.true(source?.secrets?.bearerToken);
  const { source: moved } = await sources.updateSource({
    sourceId,
    settings: settings("https://other.internal/metrics"),
    secrets: {},
  });
  t.is(moved?.secrets, undefined);
  const [row] = await server.sql<{ secrets: Buffer | null }>(
    "select secrets from sources where source_id = $1",
    [sourceId],
  );
  t.is(row?.secrets, null);
});
