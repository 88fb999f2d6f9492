import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import {
  ConfigService,
  AcknowledgeConfigRequest_Outcome as Outcome,
} from "../../gen/lumetry/edge/v1/config_service_pb.js";
import { ConfigurationService } from "../../gen/lumetry/v1/configuration_service_pb.js";
import type { EdgeProgram } from "../support/collector-process.ts";
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

const documentWith = (hostMetrics: object, more: object = {}) =>
  JSON.stringify({ hostMetrics, ...more });

const publish = ({ collectorId }: Installation, document: string) =>
  server
    .client(ConfigurationService, owner.token)
    .publishConfiguration({ targetId: collectorId, document });

const acknowledged = (installation: Installation, revision: bigint) =>
  eventually(`revision ${revision} is acknowledged`, async () => {
    const { config } = await server
      .client(ConfigurationService, owner.token)
      .getConfiguration({ targetId: installation.collectorId, revision });
    return config?.outcome !== Outcome.UNSPECIFIED && config;
  });

const runningRevision = async (collector: EdgeProgram) =>
  (await collector.status())?.configRevision;

const runs = (collector: EdgeProgram, revision: string) =>
  eventually(
    `revision ${revision} runs`,
    async () => (await runningRevision(collector)) === revision,
  );

/** Puts a revision into the database past the server, which would not take it from a person. */
async function smuggle({ collectorId }: Installation, revision: number, document: string) {
  await server.sql(
    `insert into edge_configs (workspace_id, edge_id, revision, document, published_by)
      select workspace_id, edge_id, $2, $3, 'nobody' from edges where edge_id = $1`,
    [collectorId, revision, document],
  );
  await announce({ collectorId }, revision);
}

const announce = ({ collectorId }: { collectorId: string }, revision: number) =>
  server.sql("update edges set latest_revision = $2 where edge_id = $1", [collectorId, revision]);

test("what is published is applied, kept and acknowledged with the next heartbeat; unknown keys are named", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start();
  await installation.connected(collector);
  const document = documentWith({ intervalSeconds: 30, colour: "red" }, { later: 1 });
  await publish(installation, document);
  const config = await acknowledged(installation, 1n);
  t.is(config.outcome, Outcome.APPLIED);
  t.deepEqual(config.ignoredKeys, ["hostMetrics.colour", "later"]);
  await runs(collector, "1");
  const kept = await readFile(path.join(installation.dataDir, "config.json"), "utf8");
  t.is(JSON.parse(kept).document, document);
  t.is((await installation.shown()).config?.runningRevision, 1n);
});

test("an invalid revision is rejected with words, and the last valid one stays, also across a restart", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start();
  await installation.connected(collector);
  await publish(installation, documentWith({ intervalSeconds: 30 }));
  await acknowledged(installation, 1n);
  const bad: [number, string, RegExp][] = [
    [2, documentWith({ intervalSeconds: 9 }), /hostMetrics\.intervalSeconds.*10.*3600/],
    [3, documentWith({ intervalSeconds: 3601 }), /hostMetrics\.intervalSeconds/],
    [4, '{"hostMetrics": ', /not JSON/],
    [5, `{"a": "${"x".repeat(1 << 20)}"}`, /larger than/],
  ];
  for (const [revision, document, words] of bad) {
    await smuggle(installation, revision, document);
    const { outcome, reason } = await acknowledged(installation, BigInt(revision));
    t.is(outcome, Outcome.REJECTED);
    t.regex(reason, words);
    t.is((await installation.shown()).config?.runningRevision, 1n);
  }
  await collector.kill();
  const again = installation.start();
  await installation.connected(again);
  await installation.heartbeats(2);
  t.like((await installation.shown()).config, { latestRevision: 5n, runningRevision: 1n });
});

test("a reply that arrives damaged changes nothing, and is fetched again", async (t) => {
  await using installation = await install(server, owner);
  await using gateway = await startGateway(server);
  let damaged = 0;
  const stop = gateway.intercept(ConfigService.method.getConfig, async ({ pass }) => {
    const answer = await pass();
    if (answer.revision < 2n) return answer;
    damaged += 1;
    return { ...answer, document: answer.document.slice(0, -3) };
  });
  const collector = installation.start({ server: gateway.url });
  await publish(installation, documentWith({ intervalSeconds: 30 }));
  await runs(collector, "1");
  await publish(installation, documentWith({ intervalSeconds: 40 }));
  await eventually("damaged replies came", () => damaged >= 2);
  t.is(await runningRevision(collector), "1");
  t.regex(collector.errors, /revision 2 arrived damaged/);
  // It costs the heartbeats nothing.
  await installation.heartbeats(2);
  t.is((await collector.status())?.state, "connected");
  stop();
  t.is((await acknowledged(installation, 2n)).outcome, Outcome.APPLIED);
});

test("a damaged config.json costs the defaults, and the document is fetched anew", async (t) => {
  await using installation = await install(server, owner);
  const first = installation.start();
  await publish(installation, documentWith({ intervalSeconds: 30 }));
  await runs(first, "1");
  await first.stop();
  const file = path.join(installation.dataDir, "config.json");
  await writeFile(file, '{"revision": "1", "docum');
  const collector = installation.start();
  await runs(collector, "1");
  t.regex(collector.errors, /the kept configuration is damaged; it is fetched anew/);
  t.regex(JSON.parse(await readFile(file, "utf8")).document, /30/);
});

test("an older revision than the one in force is never followed", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start();
  await publish(installation, documentWith({ intervalSeconds: 30 }));
  await acknowledged(installation, 1n);
  await publish(installation, documentWith({ intervalSeconds: 40 }));
  await runs(collector, "2");
  // A server that was set back: it has only the first revision, and announces whatever it likes.
  await server.sql("delete from edge_configs where edge_id = $1 and revision = 2", [
    installation.collectorId,
  ]);
  for (const announced of [1, 9]) {
    await announce(installation, announced);
    await installation.heartbeats(3);
    t.is(await runningRevision(collector), "2");
  }
  t.is((await collector.status())?.state, "connected");
  t.is((await installation.shown()).config?.runningRevision, 2n);
});

test("another interval is in force at once, without a restart", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start();
  await installation.connected(collector);
  const batches = async () => {
    const [row] = await server.sql<{ count: number }>(
      "select count(*)::int from batches where sender_id = $1",
      [installation.collectorId],
    );
    return row?.count ?? 0;
  };
  await eventually("its first sample is stored", async () => (await batches()) === 1);
  // By default the next one would be due in a minute, and then in another.
  await publish(installation, documentWith({ intervalSeconds: 10 }));
  await eventually("three samples are stored", async () => (await batches()) === 3, 45_000);
  t.is(collector.ending, undefined);
});

test("told to collect nothing it collects nothing, goes on reporting, and begins again when told", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.startLoaded();
  await installation.connected(collector);
  const appended = async () => (await collector.status())?.queue.appendedPoints ?? 0;
  await publish(installation, documentWith({ enabled: false }));
  await runs(collector, "1");
  await installation.heartbeats(3);
  const before = await appended();
  await installation.heartbeats(3);
  t.is(await appended(), before);
  await publish(installation, documentWith({ enabled: true }));
  await eventually("it collects again", async () => (await appended()) > before);
  t.is((await installation.shown()).config?.runningRevision, 2n);
});
