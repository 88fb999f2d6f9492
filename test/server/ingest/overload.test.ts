import { once } from "node:events";
import https from "node:https";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, createClient, createRouterTransport } from "@connectrpc/connect";
import test from "ava";
import pg from "pg";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import {
  MetricsService,
  WriteMetricsRequestSchema,
} from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { systemClock } from "../../../lib/clock.ts";
import { silentLog } from "../../../lib/log.ts";
import { makeAuthenticator } from "../../../server/access/authenticator.ts";
import { makeGate } from "../../../server/access/gate.ts";
import { makeRateLimit } from "../../../server/access/rate-limit.ts";
import { makePaths } from "../../../server/agents/paths.ts";
import { connectDatabase } from "../../../server/db/database.ts";
import { makeMetadataKeeper } from "../../../server/ingest/metadata.ts";
import { metricsService } from "../../../server/ingest/service.ts";
import { makeIngest } from "../../../server/ingest/write.ts";
import { confirmCallers } from "../../../server/interceptors/callers.ts";
import { makePointLog } from "../../../server/log/log.ts";
import { makeSeriesResolver } from "../../../server/log/series.ts";
import { eventually } from "../../support/eventually.ts";
import { addSender, pointsOf, seriesOf } from "../../support/points.ts";
import { refusalsOf, refused } from "../../support/refusal.ts";
import {
  addWorkspace,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
const now = Date.now();

test.before(async () => {
  server = await startTestServer({ seriesLimit: 10 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

test("when too much waits to be written, senders are told when to come again", async (t) => {
  await using connection = connectDatabase(
    { url: server.databaseUrl },
    { log: silentLog, connections: 4 },
  );
  const { db, pool } = connection;
  const points = makePointLog(pool, { limits: { waitingBytes: 3_000 } });
  const ingest = makeIngest({
    series: makeSeriesResolver(db, systemClock),
    metadata: makeMetadataKeeper(db),
    points,
    clock: systemClock,
    retentionMs: 86_400_000,
  });
  // Another test fills the first workspace.
  const { token } = await addWorkspace(server, owner.token);
  const { secret } = await addSender(server, token);
  const unlimited = makeRateLimit(1_000, 1_000, systemClock);
  const gate = makeGate(
    makeAuthenticator(db, systemClock),
    { calls: unlimited, anonymous: unlimited },
    makePaths(db, systemClock),
  );
  const client = createClient(
    MetricsService,
    createRouterTransport(
      (router) => router.service(MetricsService, metricsService({ ingest, gate })),
      {
        router: { requestGate: gate.admitCall, interceptors: [confirmCallers(gate)] },
      },
    ),
  );
  const headers = { authorization: `Bearer ${secret}` };
  const write = () =>
    client.writeMetrics({ series: [seriesOf("load", {}, [now, 1])] }, { headers });
  await write();
  await using stack = new AsyncDisposableStack();
  const holder = stack.adopt(new pg.Client(server.databaseUrl), (client) => client.end());
  await holder.connect();
  await holder.query("begin; lock table batches in access exclusive mode");
  // Two fit, whichever come first.
  const calls = Array.from({ length: 5 }, write);
  let thrown = 0;
  for (const call of calls) {
    call.catch(() => {
      thrown += 1;
    });
  }
  await eventually("what does not fit is refused while the rest waits", () => thrown === 3);
  await holder.query("rollback");
  const { answered, refusals } = await refusalsOf(calls);
  t.is(answered, 2);
  for (const refusal of refusals) {
    t.like(refusal, { code: Code.Unavailable, reason: Reason.OVERLOADED, retryAfterMs: 1000 });
  }
  await points[Symbol.asyncDispose]();
  const closed = await refused(write());
  t.like(closed, { code: Code.Unavailable, reason: Reason.OVERLOADED });
});

test("a key that is revoked while its batch is on the way stores nothing", async (t) => {
  const { secret, keyId } = await addSender(server, owner.token);
  const body = toBinary(
    WriteMetricsRequestSchema,
    create(WriteMetricsRequestSchema, { series: [seriesOf("revoked", {}, [now, 1])] }),
  );
  const request = https.request(`${server.url}/${MetricsService.typeName}/WriteMetrics`, {
    method: "POST",
    ca: server.ca,
    headers: {
      "content-type": "application/proto",
      "content-length": body.length,
      authorization: `Bearer ${secret}`,
      expect: "100-continue",
    },
  });
  // The server asks for the body once it has let the caller in.
  const asked = once(request, "continue");
  request.flushHeaders();
  await asked;
  request.write(body.subarray(0, 10));
  await server
    .client(IngestionKeyService, owner.token)
    .revokeIngestionKey({ ingestionKeyId: keyId });
  request.end(body.subarray(10));
  const [response] = await once(request, "response");
  t.is(response.statusCode, 401);
  t.deepEqual(await pointsOf(server, owner.token, "revoked"), []);
});

test("past its limit of series a workspace keeps those it has, and its neighbour is not touched", async (t) => {
  const { metrics } = await addSender(server, owner.token);
  const write = (from: number, to: number, at: number, through = metrics) =>
    through.writeMetrics({
      series: Array.from({ length: to - from }, (_, index) =>
        seriesOf("cap", { i: String(from + index) }, [now + at, at]),
      ),
    });
  t.is((await write(0, 6, 0)).acceptedPoints, 6n);
  const over = await write(0, 50, 1);
  t.true(over.acceptedPoints >= 6n && over.acceptedPoints <= 10n);
  t.is(over.acceptedPoints + over.refusedPoints, 50n);
  t.true(over.refusals.every(({ reason }) => /as many series as it may have/.test(reason)));
  t.is((await write(0, 6, 2)).acceptedPoints, 6n);
  const neighbour = await addWorkspace(server, owner.token);
  const theirs = await addSender(server, neighbour.token);
  t.is((await write(0, 10, 0, theirs.metrics)).acceptedPoints, 10n);
});
