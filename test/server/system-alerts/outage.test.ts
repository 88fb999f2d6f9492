import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../../gen/lumetry/v1/edge_pb.js";
import { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import {
  SystemAlertKind,
  SystemAlertService,
} from "../../../gen/lumetry/v1/system_alert_service_pb.js";
import { silentLog } from "../../../lib/log.ts";
import { connectDatabase } from "../../../server/db/database.ts";
import { insertSeries } from "../../../server/log/series-store.ts";
import { rulesReader } from "../../../server/rules/reader.ts";
import { addProfile, enrollAgent } from "../../support/agent.ts";
import { openAlerts } from "../../support/alerts.ts";
import { addCollector, makeProcess } from "../../support/collector.ts";
import { segmentOf } from "../../support/log.ts";
import { readNow } from "../../support/reader-turn.ts";
import { aboveBound } from "../../support/rules.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { INTERVAL_MS, STEP_MS, type Watching, watch } from "../../support/watching.ts";

const MINUTE_MS = 60_000;
const PHASES = INTERVAL_MS / STEP_MS;

/** A collector with agents behind it, whose heartbeats come when a test lets them. */
async function addSite(server: TestServer, owner: Owner, time: Watching, agents: number) {
  const collector = await addCollector(server, owner, "lyon-1");
  const gateway = makeProcess(server, collector.credential, "lyon-1.example.com");
  const { token } = await addProfile(server, owner, { maxUses: 1000 });
  const hosts = await Promise.all(
    Array.from({ length: agents }, async (_, index) => {
      const host = { hostname: `web-${index}`, machineFingerprint: "" };
      const asked = await enrollAgent(server, token, { host }, collector.credential);
      const process = makeProcess(server, asked.credential, `web-${index}`, collector.credential);
      return { agentId: asked.agentId, beat: () => process.beat({ sentTime: time.now() }) };
    }),
  );
  return {
    collectorId: collector.collectorId,
    beat: () => gateway.beat({ sentTime: time.now() }),
    hosts,
    /** Whoever lives reports, each at its own moment of the interval. */
    live:
      (living: { gateway: boolean; hosts: (index: number) => boolean }) =>
      async (passedMs: number) => {
        const phase = (passedMs / STEP_MS) % PHASES;
        const due = hosts.filter((_, index) => index % PHASES === phase && living.hosts(index));
        if (living.gateway && phase === 1) await gateway.beat({ sentTime: time.now() });
        await Promise.all(due.map(({ beat }) => beat()));
      },
  };
}

async function start() {
  await using started = new AsyncDisposableStack();
  const server = started.use(await startTestServer());
  const owner = await setUp(server);
  const time = started.use(await watch(server));
  const stack = started.move();
  return { server, owner, time, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Has somebody notified; answers the notifications so far. Nothing has to arrive for that. */
async function addChannel(server: TestServer, owner: Owner) {
  const channels = server.client(ChannelService, owner.token);
  await channels.createChannel({ displayName: "on call", url: "https://127.0.0.1:1/" });
  return async () => (await channels.listDeliveries({})).deliveries.length;
}

const EVERYBODY = { gateway: true, hosts: () => true };
const NOBODY = { gateway: false, hosts: () => false };

test("a collector with three hundred agents behind it is cut off: one alert, and one recovery", async (t) => {
  t.timeout(5 * MINUTE_MS);
  await using at = await start();
  const { server, owner, time } = at;
  await server.client(SystemAlertService, owner.token).updateSystemAlertKind({
    kind: SystemAlertKind.COLLECTOR_MISSED_HEARTBEATS,
    recovery: durationFromMs(30_000),
  });
  const notified = await addChannel(server, owner);
  const site = await addSite(server, owner, time, 300);
  await time.pass(INTERVAL_MS, site.live(EVERYBODY));
  t.deepEqual(await time.alerts(), []);

  await time.pass(5 * MINUTE_MS, site.live(NOBODY));
  const during = await time.alerts();
  const told = during.filter((alert) => alert.told);
  t.is(told.length, 1);
  t.like(told[0], {
    system_kind: "collector_missed_heartbeats",
    group_key: site.collectorId,
    state: "firing",
    severity: "critical",
    labels: { collector: "lyon-1", zone: "default", host: "host-1" },
  });
  t.regex(told[0]?.summary ?? "", /^Collector lyon-1: it has not been heard of for \d+ minutes\./);
  t.regex(told[0]?.summary ?? "", /300 alerts that it explains are suppressed/);
  const suppressed = during.filter(({ suppressed_by }) => suppressed_by === told[0]?.alert_id);
  t.is(suppressed.length, 300);
  t.true(suppressed.every(({ state, told: wasTold }) => state === "firing" && !wasTold));
  t.is(await notified(), 1);

  // One of them stays away, for reasons of its own.
  const [lost] = site.hosts;
  await time.pass(
    2 * MINUTE_MS,
    site.live({ gateway: true, hosts: (index) => site.hosts[index] !== lost }),
  );
  const after = await time.alerts();
  t.deepEqual(
    after
      .filter((alert) => alert.told)
      .map(({ group_key, state }) => [group_key, state])
      .sort(),
    [
      [lost?.agentId, "firing"],
      [site.collectorId, "resolved"],
    ].sort(),
  );
  t.is(after.filter(({ state }) => state === "resolved").length, 300);
  t.is(after.length, 301);

  const { collector } = await server
    .client(CollectorService, owner.token)
    .getCollector({ collectorId: site.collectorId });
  t.is(collector?.status, Status.ACTIVE);
  const { agent } = await server
    .client(AgentService, owner.token)
    .getAgent({ agentId: lost?.agentId ?? "" });
  t.is(agent?.status, Status.ACTIVE);
});

test("an agent alone is told of by itself; one that comes directly is not explained by a collector", async (t) => {
  await using at = await start();
  const { server, owner, time } = at;
  const site = await addSite(server, owner, time, 2);
  await time.pass(MINUTE_MS, site.live(EVERYBODY));
  await time.pass(5 * MINUTE_MS, site.live({ gateway: true, hosts: (index) => index === 1 }));
  const [alone, ...others] = await time.alerts();
  t.like(alone, {
    system_kind: "agent_missed_heartbeats",
    group_key: site.hosts[0]?.agentId,
    told: true,
    suppressed_by: null,
  });
  t.deepEqual(others, []);
});

test("a network that comes and goes is one alert, not ten", async (t) => {
  await using at = await start();
  const { server, owner, time } = at;
  const notified = await addChannel(server, owner);
  const site = await addSite(server, owner, time, 3);
  await time.pass(MINUTE_MS, site.live(EVERYBODY));
  for (let round = 0; round < 6; round += 1) {
    await time.pass(3 * MINUTE_MS, site.live(NOBODY));
    await time.pass(MINUTE_MS, site.live(EVERYBODY));
  }
  await time.pass(4 * MINUTE_MS, site.live(EVERYBODY));
  const alerts = await time.alerts();
  t.deepEqual(
    alerts.filter((alert) => alert.told).map(({ group_key, state }) => [group_key, state]),
    [[site.collectorId, "resolved"]],
  );
  t.true(alerts.every(({ state }) => state === "resolved"));
  t.is(await notified(), 2);
});

test("an absence rule on what a host sends is explained by the outage before it, and told if it outlasts that", async (t) => {
  await using at = await start();
  const { server, owner, time } = at;
  await using rules = openAlerts(server, owner.workspaceId);
  const site = await addSite(server, owner, time, 2);
  await time.pass(MINUTE_MS, site.live(EVERYBODY));
  // Half a minute into the outage nobody can know of it yet.
  await time.pass(INTERVAL_MS, site.live(NOBODY));
  const absences = site.hosts.map(({ agentId }) => ({
    key: { origin: "rule" as const, source: "rul.aaaaaaaaaa", groupKey: agentId },
    agentId,
  }));
  const atMs = timestampMs(time.now());
  await rules.change(
    ...absences.map(({ key, agentId }) => ({
      kind: "fire" as const,
      key,
      atMs,
      isSilence: true,
      details: {
        severity: "critical" as const,
        summary: "no data",
        labels: {},
        subjectEdgeId: agentId,
      },
    })),
  );
  const ofRule = async () => (await time.alerts()).filter(({ origin }) => origin === "rule");
  t.true((await ofRule()).every(({ told }) => !told));
  await time.pass(5 * MINUTE_MS, site.live(NOBODY));
  const cause = (await time.alerts()).find(({ group_key }) => group_key === site.collectorId);
  t.true(cause?.told);
  t.true((await ofRule()).every((alert) => !alert.told && alert.suppressed_by === cause?.alert_id));

  // One has data again in time, the other has not.
  const [back, stays] = absences;
  if (!back || !stays) throw new Error("there are two hosts");
  await time.pass(MINUTE_MS, site.live(EVERYBODY));
  await rules.change({ kind: "resolve", key: back.key, atMs: timestampMs(time.now()), reason: "" });
  await time.pass(4 * MINUTE_MS, site.live(EVERYBODY));
  t.deepEqual(
    (await ofRule()).map(({ group_key, state, told }) => [group_key, state, told]).sort(),
    [
      [back.agentId, "resolved", false],
      [stays.agentId, "firing", true],
    ].sort(),
  );
});

test("an absence rule that judges what agents send says nothing of an outage of the collector between, and ends with it", async (t) => {
  t.timeout(5 * MINUTE_MS);
  await using at = await start();
  const { server, owner, time } = at;
  await server.client(SystemAlertService, owner.token).updateSystemAlertKind({
    kind: SystemAlertKind.COLLECTOR_MISSED_HEARTBEATS,
    recovery: durationFromMs(30_000),
  });
  await server.client(RuleService, owner.token).createRule({
    settings: aboveBound("up", {
      severity: Severity.CRITICAL,
      condition: { case: "absence", value: { duration: durationFromMs(MINUTE_MS) } },
    }),
  });
  const notified = await addChannel(server, owner);
  const site = await addSite(server, owner, time, 3);
  await using connection = connectDatabase(
    { url: server.databaseUrl },
    { log: silentLog, connections: 3 },
  );
  const named = site.hosts.map(({ agentId }) => ({
    metric: "up",
    labels: { "lumetry.agent_id": agentId },
    fingerprint: Buffer.from(agentId),
  }));
  const ids = [
    ...(
      await connection.db
        .transaction()
        .execute((transaction) => insertSeries(transaction, owner.workspaceId, named))
    ).values(),
  ];
  const reader = rulesReader({ log: silentLog });
  /** Whoever lives sends a point as well, and the rules read what has come. */
  const live = (living: Parameters<typeof site.live>[0]) => async (passedMs: number) => {
    await site.live(living)(passedMs);
    const ms = timestampMs(time.now());
    const points = ids.filter((_, index) => living.hosts(index)).map((id) => [id, ms, 1] as const);
    if (points.length > 0) {
      await connection.pool.query(
        `insert into segments (workspace_id, start_ms, end_ms, points, body)
         values ($1, $2, $2, $3, $4)`,
        [owner.workspaceId, ms, points.length, segmentOf(points.map((point) => [...point]))],
      );
    }
    await readNow(reader, connection);
  };
  const ofRule = async () => (await time.alerts()).filter(({ origin }) => origin === "rule");

  await time.pass(2 * MINUTE_MS, live(EVERYBODY));
  t.deepEqual(await time.alerts(), []);
  await time.pass(5 * MINUTE_MS, live(NOBODY));
  const cause = (await time.alerts()).find(({ group_key }) => group_key === site.collectorId);
  t.true(cause?.told);
  t.deepEqual(
    (await ofRule()).map(({ state, told, suppressed_by }) => [state, told, suppressed_by]),
    site.hosts.map(() => ["firing", false, cause?.alert_id]),
  );
  t.is(await notified(), 1);

  await time.pass(3 * MINUTE_MS, live(EVERYBODY));
  const after = await time.alerts();
  t.true(after.every(({ state }) => state === "resolved"));
  t.deepEqual(
    after.filter(({ told }) => told).map(({ group_key }) => group_key),
    [site.collectorId],
  );
  t.is(await notified(), 2);
});

test("while all servers are down nobody is missed, and afterwards only who stays away", async (t) => {
  await using at = await start();
  const { server, owner, time } = at;
  const site = await addSite(server, owner, time, 6);
  await time.pass(MINUTE_MS, site.live(EVERYBODY));
  await time.skip(20 * MINUTE_MS);
  await time.pass(5 * MINUTE_MS, site.live({ gateway: true, hosts: (index) => index > 0 }));
  const alerts = await time.alerts();
  t.deepEqual(
    alerts.map(({ group_key, told }) => [group_key, told]),
    [[site.hosts[0]?.agentId, true]],
  );
});
