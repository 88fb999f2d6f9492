import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { HeartbeatService } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { AuditService } from "../../gen/lumetry/v1/audit_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../gen/lumetry/v1/edge_pb.js";
import { eventually } from "../support/eventually.ts";
import { startGateway } from "../support/gateway.ts";
import { type Installation, install } from "../support/installation.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const collectors = () => server.client(CollectorService, owner.token);

const suspected = (installation: Installation) =>
  eventually("a duplicate is suspected", async () => {
    return (await installation.shown()).status === Status.DUPLICATE_SUSPECTED;
  });

test("a copy of the data directory on a second host is suspected within two heartbeats, and there are two ways out", async (t) => {
  await using installation = await install(server, owner);
  const { collectorId } = installation;
  const original = installation.start();
  await installation.connected(original);
  await original.stop();
  const dataDir = await mkdtemp(path.join(tmpdir(), "lumetry-clone-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(dataDir, { recursive: true, force: true }));
  await cp(installation.dataDir, dataDir, { recursive: true });

  await using gateway = await startGateway(server);
  const beats: { processId: string; status: Status }[] = [];
  gateway.intercept(HeartbeatService.method.sendHeartbeat, async ({ request, pass }) => {
    const answer = await pass();
    beats.push({ processId: request.processId, status: (await installation.shown()).status });
    return answer;
  });
  const throughGateway = { server: gateway.url, token: undefined };
  const first = installation.start(throughGateway);
  const clone = installation.start({ ...throughGateway, dataDir });
  await suspected(installation);
  const found = beats.findIndex(({ status }) => status === Status.DUPLICATE_SUSPECTED);
  const returned = beats[found]?.processId;
  const others = (beat: { processId: string }) => beat.processId !== returned;
  const since = beats.slice(beats.findIndex(others), found + 1);
  t.true(since.filter((beat) => !others(beat)).length <= 2, JSON.stringify(beats));
  const { duplicateEvidence, processes } = await installation.shown();
  t.not(duplicateEvidence?.returned?.processId, duplicateEvidence?.replacement?.processId);
  t.regex(duplicateEvidence?.explanation ?? "", /Stop one of them .* or, .* revoke it/);
  t.true(processes.length >= 2);

  // Dismissed while both go on, it comes back.
  await collectors().dismissCollectorDuplicate({ collectorId });
  await suspected(installation);
  // The one way out: stop the copy, and say so.
  t.is((await clone.stop()).code, 0);
  await collectors().dismissCollectorDuplicate({ collectorId });
  await installation.heartbeats(4);
  t.is((await installation.shown()).status, Status.ACTIVE);
  // The other: revoke the identity, which ends both, and enroll a replacement.
  const again = installation.start({ ...throughGateway, dataDir });
  await suspected(installation);
  await collectors().revokeCollector({ collectorId });
  t.is((await first.ended).code, 78);
  t.is((await again.ended).code, 78);
  await using replacement = await install(server, owner);
  await replacement.connected(replacement.start());
});

test("restarts, in good order and by kill -9, raise no suspicion", async (t) => {
  await using installation = await install(server, owner);
  for (const end of ["stop", "kill", "kill"] as const) {
    const collector = installation.start();
    await installation.connected(collector);
    await installation.heartbeats(1);
    await collector[end]();
  }
  await installation.connected(installation.start());
  await installation.heartbeats(3);
  t.is((await installation.shown()).status, Status.ACTIVE);
  t.is((await installation.shown()).processes.length, 4);
  const { auditEvents } = await server
    .client(AuditService, owner.token)
    .listAuditEvents({ targetId: installation.collectorId });
  t.false(auditEvents.some(({ action }) => action.startsWith("collector.duplicate")));
});
