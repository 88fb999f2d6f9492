import { randomUUID } from "node:crypto";
import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { AcknowledgeConfigRequest_Outcome as Outcome } from "../../../gen/lumetry/edge/v1/config_service_pb.js";
import { SendHeartbeatRequest_Warning as Warning } from "../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { AuditService } from "../../../gen/lumetry/v1/audit_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { ConfigurationService } from "../../../gen/lumetry/v1/configuration_service_pb.js";
import { IngestionKeyService } from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import {
  SystemAlertKind as Kind,
  SystemAlertService,
} from "../../../gen/lumetry/v1/system_alert_service_pb.js";
import { WorkspaceService } from "../../../gen/lumetry/v1/workspace_service_pb.js";
import { addAgent } from "../../support/agent.ts";
import { addCollector, makeProcess } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { addSender, seriesOf } from "../../support/points.ts";
import { refused } from "../../support/refusal.ts";
import {
  addPerson,
  type Owner,
  setUp,
  startTestServer,
  type TestServer,
} from "../../support/server.ts";
import { INTERVAL_MS, type Watching, watch } from "../../support/watching.ts";
import { addSource, addWorker, assigned } from "../../support/worker.ts";

let server: TestServer;
let owner: Owner;
let time: Watching;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  time = await watch(server);
});
test.after.always(async () => {
  await time?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const MINUTE_MS = 60_000;
const collectors = () => server.client(CollectorService, owner.token);
const system = (token = owner.token) => server.client(SystemAlertService, token);

/** The alerts about one thing, by kind: "firing", "resolved", and "untold" besides when nobody was told. */
async function about(subject: string): Promise<Record<string, string>> {
  const alerts = (await time.alerts()).filter(({ group_key }) => group_key === subject);
  return Object.fromEntries(
    alerts.map(({ system_kind, state, told }) => [system_kind, told ? state : `${state} untold`]),
  );
}

/** A collector whose credential is in use on two hosts. */
async function addClone() {
  const { collectorId, credential } = await addCollector(server, owner);
  const original = makeProcess(server, credential, "original-host");
  const clone = makeProcess(server, credential, "clone-host");
  const beat = (process: typeof original) => process.beat({ sentTime: time.now() });
  await beat(original);
  await time.pass(INTERVAL_MS);
  await beat(clone);
  await time.pass(INTERVAL_MS);
  const before = await about(collectorId);
  await beat(original);
  await time.look();
  return { collectorId, before };
}

test.serial(
  "a clone of a data directory is told of by its second heartbeat, with evidence of both hosts",
  async (t) => {
    const { collectorId, before } = await addClone();
    t.deepEqual(before, {});
    const [alert] = (await time.alerts()).filter(({ group_key }) => group_key === collectorId);
    t.like(alert, {
      system_kind: "duplicate_suspected",
      state: "firing",
      told: true,
      severity: "critical",
    });
    t.like(alert?.evidence, {
      returned: { hostname: "original-host", address: "127.0.0.1" },
      replacement: { hostname: "clone-host", address: "127.0.0.1" },
    });
    t.regex(alert?.summary ?? "", /original-host.*clone-host.*dismiss.*revoke/);

    await collectors().dismissCollectorDuplicate({ collectorId });
    await time.look();
    t.deepEqual(await about(collectorId), { duplicate_suspected: "resolved" });
  },
);

test.serial("a clone that is revoked is no matter any more", async (t) => {
  const { collectorId } = await addClone();
  t.deepEqual(await about(collectorId), { duplicate_suspected: "firing" });
  await collectors().revokeCollector({ collectorId });
  await time.look();
  const [alert] = (await time.alerts()).filter(({ group_key }) => group_key === collectorId);
  t.like(alert, { state: "resolved", resolve_reason: "It was revoked." });
});

test.serial(
  "what a heartbeat tells becomes an alert when it lasts, and ends when it is over",
  async (t) => {
    const { collectorId, credential, config } = await addCollector(server, owner);
    const process = makeProcess(server, credential);
    const bad = () =>
      process.beat({
        sentTime: timestampFromMs(timestampMs(time.now()) + 45_000),
        warnings: [Warning.QUEUE_UNWRITABLE, Warning.RELAY_DOWN],
        queue: {
          queueId: "q",
          timeToFull: durationFromMs(3_600_000),
          drops: [{ dropId: 1n, points: 7n, reason: 1 }],
        },
      });
    const good = () => process.beat({ sentTime: time.now(), queue: { queueId: "q" } });
    const { config: published } = await server
      .client(ConfigurationService, owner.token)
      .publishConfiguration({
        targetId: collectorId,
        document: '{"hostMetrics":{"enabled":true}}',
      });
    await config.getConfig({});
    await config.acknowledgeConfig({
      revision: published?.revision ?? 0n,
      outcome: Outcome.REJECTED,
      reason: "no",
    });

    await bad();
    await time.look();
    t.deepEqual(await about(collectorId), {
      points_dropped: "firing",
      config_rejected: "firing",
      clock_skew: "pending untold",
      queue_filling: "pending untold",
      queue_unwritable: "pending untold",
      relay_down: "pending untold",
    });
    // What was for a moment only is forgotten.
    await good();
    await time.look();
    t.deepEqual(await about(collectorId), {
      points_dropped: "firing",
      config_rejected: "firing",
    });
    await time.pass(6 * MINUTE_MS, bad);
    const all = ["clock_skew", "queue_filling", "queue_unwritable", "relay_down"];
    const told = await about(collectorId);
    t.deepEqual(
      all.map((kind) => told[kind]),
      all.map(() => "firing"),
    );
    // For a moment all is well, which is no recovery.
    await time.pass(MINUTE_MS, good);
    await time.pass(MINUTE_MS, bad);
    t.is((await time.alerts()).filter(({ group_key }) => group_key === collectorId).length, 6);
    await time.pass(11 * MINUTE_MS, good);
    const over = await about(collectorId);
    t.deepEqual(
      all.map((kind) => over[kind]),
      all.map(() => "resolved"),
    );
  },
);

test.serial("tokens, series and certificates are told of before they run out", async (t) => {
  const keys = server.client(IngestionKeyService, owner.token);
  const { ingestionKey } = await keys.createIngestionKey({
    displayName: "ci",
    lifetime: durationFromMs(20 * 86_400_000),
  });
  const keyId = ingestionKey?.ingestionKeyId ?? "";
  await time.look();
  t.deepEqual(await about(keyId), {});
  await time.skip(17 * 86_400_000);
  await time.look();
  t.deepEqual(await about(keyId), { token_expiring: "firing" });
  await keys.revokeIngestionKey({ ingestionKeyId: keyId });
  await time.look();
  t.deepEqual(await about(keyId), { token_expiring: "resolved" });

  const { metrics } = await addSender(server, owner.token);
  const series = Array.from({ length: 9 }, (_, n) => seriesOf("m", { n: `${n}` }, [Date.now(), 1]));
  await server.client(WorkspaceService, owner.token).setSeriesLimit({ seriesLimit: 10n });
  await metrics.writeMetrics({ series });
  await time.look();
  t.deepEqual(await about(owner.workspaceId), { series_limit_near: "firing" });
  await server.client(WorkspaceService, owner.token).setSeriesLimit({ seriesLimit: 100_000n });

  const [certificate] = await eventually("the server has told its certificate", async () => {
    const rows = await server.sql<{ fingerprint: string }>(
      "update server_certificates set expires_at = wall_clock() + interval '3 days', seen_at = wall_clock() returning fingerprint",
    );
    return rows.length > 0 && rows;
  });
  await time.look();
  const [alert] = (await time.alerts()).filter(
    ({ group_key }) => group_key === certificate?.fingerprint,
  );
  t.regex(
    alert?.summary ?? "",
    /^The server's certificate for .*localhost.* expires in (2|3) days/,
  );
});

test.serial(
  "a source that nobody polls is told of, and one behind an outage is explained by it",
  async (t) => {
    await server.sql("update system_alert_watches set watched_since = '2000-01-01'");
    const lonely = await addSource(server, owner);
    await time.pass(3 * MINUTE_MS);
    t.deepEqual(await about(lonely.sourceId), { source_starving: "firing" });

    const worker = await addWorker(server, owner);
    await worker.claim({ mostPolls: 0 });
    await assigned(server, lonely.sourceId, worker.collectorId);
    const process = makeProcess(server, worker.credential);
    const live = () =>
      Promise.all([process.beat({ sentTime: time.now() }), worker.claim({ mostPolls: 0 })]);
    await server.sql(
      "update work_items set due_at = wall_clock() + interval '1 day' where kind = 'poll'",
    );
    await time.pass(3 * MINUTE_MS, live);
    t.deepEqual(await about(lonely.sourceId), { source_starving: "resolved" });

    await time.pass(5 * MINUTE_MS);
    const alerts = await time.alerts();
    const cause = alerts.find(({ group_key }) => group_key === worker.collectorId);
    t.like(cause, { system_kind: "collector_missed_heartbeats", told: true, state: "firing" });
    const starving = alerts.findLast(({ group_key }) => group_key === lonely.sourceId);
    t.like(starving, { state: "firing", told: false, suppressed_by: cause?.alert_id });
  },
);

test.serial("a reader of the log that is behind is told of", async (t) => {
  const { metrics } = await addSender(server, owner.token, { name: randomUUID() });
  await server.sql("update readers set leased_until = 'infinity' where reader = 'chunks'");
  await metrics.writeMetrics({ series: [seriesOf("late", {}, [Date.now(), 1])] });
  await time.pass(4 * MINUTE_MS);
  t.deepEqual(await about("chunks"), { log_reader_behind: "firing" });
  await server.sql("update readers set leased_until = wall_clock() where reader = 'chunks'");
  await eventually("it has caught up", async () => {
    await time.pass(INTERVAL_MS);
    return (await about("chunks")).log_reader_behind === "resolved";
  });
  t.pass();
});

test.serial(
  "an operator sets what is watched, from where on and how much it matters",
  async (t) => {
    const { agentId, credential } = await addAgent(server, owner);
    const process = makeProcess(server, credential);
    const skewed = () =>
      process.beat({ sentTime: timestampFromMs(timestampMs(time.now()) + 20_000) });
    await skewed();
    await time.look();
    t.deepEqual(await about(agentId), {});
    const { kind } = await system().updateSystemAlertKind({
      kind: Kind.CLOCK_SKEW,
      threshold: { case: "span", value: durationFromMs(10_000) },
      holdDown: durationFromMs(0),
      severity: Severity.CRITICAL,
    });
    t.is(kind?.settings?.severity, Severity.CRITICAL);
    t.is(kind?.defaults?.severity, Severity.WARNING);
    await time.look();
    t.deepEqual(await about(agentId), { clock_skew: "firing" });
    const { kinds } = await system().listSystemAlertKinds({});
    t.is(kinds.find((each) => each.kind === Kind.CLOCK_SKEW)?.firing, 1n);
    t.is(kinds.length, 15);

    await system().updateSystemAlertKind({ kind: Kind.CLOCK_SKEW, enabled: false });
    await time.look();
    t.deepEqual(await about(agentId), { clock_skew: "resolved" });
    const reset = await system().resetSystemAlertKind({ kind: Kind.CLOCK_SKEW });
    t.deepEqual(reset.kind?.settings, reset.kind?.defaults);

    const wrong = await refused(
      system().updateSystemAlertKind({
        kind: Kind.CLOCK_SKEW,
        threshold: { case: "heartbeats", value: 5 },
      }),
    );
    t.is(wrong.code, Code.InvalidArgument);
    t.regex(wrong.message, /clock_skew cannot be a number of heartbeats: it has a span of time/);
    const viewer = await addPerson(server, owner.token, Role.VIEWER);
    t.is(
      (await refused(system(viewer.token).resetSystemAlertKind({ kind: Kind.CLOCK_SKEW }))).code,
      Code.PermissionDenied,
    );
    const { auditEvents } = await server
      .client(AuditService, owner.token)
      .listAuditEvents({ targetId: "clock_skew" });
    t.deepEqual(
      auditEvents.map(({ action }) => action),
      ["system_alert_kind.reset", "system_alert_kind.updated", "system_alert_kind.updated"],
    );
  },
);
