import { createHash } from "node:crypto";
import { Code } from "@connectrpc/connect";
import test from "ava";
import fc from "fast-check";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { AcknowledgeConfigRequest_Outcome as Outcome } from "../../../gen/lumetry/edge/v1/config_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { ConfigurationService } from "../../../gen/lumetry/v1/configuration_service_pb.js";
import { Attention_Kind as Attention } from "../../../gen/lumetry/v1/edge_pb.js";
import { readConfigDocument } from "../../../lib/config-document.ts";
import { addCollector, makeProcess } from "../../support/collector.ts";
import { outcomes, refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const configs = () => server.client(ConfigurationService, owner.token);
const DOCUMENT = JSON.stringify({ hostMetrics: { enabled: true, intervalSeconds: 60 } });
const publish = (collectorId: string, document = DOCUMENT) =>
  configs().publishConfiguration({ targetId: collectorId, document });

test("before anything is published, a collector gets revision 0 and the defaults", async (t) => {
  const { config, collectorId } = await addCollector(server, owner);
  const answer = await config.getConfig({});
  t.is(answer.revision, 0n);
  t.is(answer.document, "{}");
  t.like(await refused(configs().getConfiguration({ targetId: collectorId })), {
    code: Code.NotFound,
  });
});

test("a published document is offered as the next revision, as it was written", async (t) => {
  const { config, collectorId, credential } = await addCollector(server, owner);
  const document = `{ "hostMetrics": { "intervalSeconds": 30 } } `;
  const published = await publish(collectorId, document);
  t.is(published.config?.revision, 1n);
  t.is((await makeProcess(server, credential).beat()).latestConfigRevision, 1n);
  const answer = await config.getConfig({});
  t.is(answer.document, document);
  t.deepEqual(Buffer.from(answer.documentSha256), createHash("sha256").update(document).digest());
});

const refusals: [string, RegExp][] = [
  ["", /not JSON/],
  ["[]", /must be a JSON object/],
  ["null", /must be a JSON object/],
  ['{"hostMetrics": ', /not JSON/],
  ['{"hostMetrics": {"intervalSeconds": 9}}', /hostMetrics\.intervalSeconds.*10.*3600/],
  ['{"hostMetrics": {"intervalSeconds": 3601}}', /hostMetrics\.intervalSeconds.*10.*3600/],
  ['{"hostMetrics": {"intervalSeconds": 10.5}}', /hostMetrics\.intervalSeconds/],
  ['{"hostMetrics": {"intervalSeconds": "soon"}}', /hostMetrics\.intervalSeconds/],
  ['{"hostMetrics": {"intervalSeconds": -60}}', /hostMetrics\.intervalSeconds/],
  ['{"hostMetrics": {"enabled": "yes"}}', /hostMetrics\.enabled/],
  ['{"hostMetrics": []}', /hostMetrics/],
];
for (const [document, words] of refusals) {
  test(`publishing ${document || "nothing"} is refused with words, and stores nothing`, async (t) => {
    const { collectorId } = await addCollector(server, owner);
    const refusal = await refused(publish(collectorId, document));
    t.like(refusal, { code: Code.InvalidArgument, reason: Reason.CONFIG_INVALID });
    t.regex(refusal.message, words);
    t.is((await configs().listConfigurations({ targetId: collectorId })).configs.length, 0);
  });
}

test("the bounds themselves, {} and absent properties are valid", async (t) => {
  const { collectorId } = await addCollector(server, owner);
  for (const document of [
    "{}",
    '{"hostMetrics": {}}',
    '{"hostMetrics": {"intervalSeconds": 10}}',
    '{"hostMetrics": {"intervalSeconds": 3600, "enabled": false}}',
  ]) {
    t.truthy((await publish(collectorId, document)).config, document);
  }
});

test("unknown properties are ignored and named", async (t) => {
  const { collectorId } = await addCollector(server, owner);
  const { unknownKeys } = await publish(
    collectorId,
    '{"hostMetrics": {"colour": "red"}, "later": {"deep": 1}, "__proto__": {"x": 1}}',
  );
  t.deepEqual(unknownKeys, ["hostMetrics.colour", "later", "__proto__"]);
});

test("checking a document stores nothing", async (t) => {
  const { collectorId } = await addCollector(server, owner);
  const answer = await configs().publishConfiguration({
    targetId: collectorId,
    document: DOCUMENT,
    validateOnly: true,
  });
  t.is(answer.config, undefined);
  t.is((await configs().listConfigurations({ targetId: collectorId })).configs.length, 0);
});

test("two people who publish over the same revision do not overwrite each other unseen", async (t) => {
  const { collectorId } = await addCollector(server, owner);
  await publish(collectorId);
  const calls = ["30", "40"].map((interval) =>
    configs().publishConfiguration({
      targetId: collectorId,
      document: `{"hostMetrics": {"intervalSeconds": ${interval}}}`,
      expectedRevision: 1n,
    }),
  );
  t.deepEqual(await outcomes(calls), { answered: 1, codes: [Code.Aborted] });
});

test("history shows every revision and how it fared, and an earlier one can be taken up again", async (t) => {
  const { collectorId, config } = await addCollector(server, owner);
  await publish(collectorId, '{"hostMetrics": {"intervalSeconds": 30}}');
  await config.getConfig({});
  await config.acknowledgeConfig({ revision: 1n, outcome: Outcome.APPLIED, runningRevision: 1n });
  await publish(collectorId, '{"hostMetrics": {"intervalSeconds": 40}}');
  const reverted = await configs().revertConfiguration({ targetId: collectorId, revision: 1n });
  t.is(reverted.config?.revision, 3n);
  t.is(reverted.config?.revertedFrom, 1n);
  t.is((await config.getConfig({})).document, '{"hostMetrics": {"intervalSeconds": 30}}');
  const { configs: history } = await configs().listConfigurations({ targetId: collectorId });
  t.deepEqual(
    history.map(({ revision, publisher, outcome }) => [revision, publisher, outcome]),
    [
      [3n, "Olivia Owner", Outcome.UNSPECIFIED],
      [2n, "Olivia Owner", Outcome.UNSPECIFIED],
      [1n, "Olivia Owner", Outcome.APPLIED],
    ],
  );
  t.truthy(history[2]?.offerTime);
  t.like(await refused(configs().revertConfiguration({ targetId: collectorId, revision: 9n })), {
    code: Code.NotFound,
  });
});

test("an acknowledgement shows offered, running, outcome, reason and ignored keys", async (t) => {
  const { collectorId, config } = await addCollector(server, owner);
  await publish(collectorId);
  await config.getConfig({});
  await config.acknowledgeConfig({
    revision: 1n,
    outcome: Outcome.REJECTED,
    reason: "too new for me",
    ignoredKeys: ["later"],
    runningRevision: 0n,
  });
  const { collector } = await server
    .client(CollectorService, owner.token)
    .getCollector({ collectorId });
  t.like(collector?.config, {
    latestRevision: 1n,
    offeredRevision: 1n,
    runningRevision: 0n,
    rejected: true,
    reason: "too new for me",
  });
  t.deepEqual(collector?.config?.ignoredKeys, ["later"]);
  t.deepEqual(
    collector?.attention.map(({ kind }) => Attention[kind]),
    ["CONFIG_REJECTED"],
  );
});

test("a revision that was never offered cannot be acknowledged", async (t) => {
  const { config } = await addCollector(server, owner);
  t.like(await refused(config.acknowledgeConfig({ revision: 5n, outcome: Outcome.APPLIED })), {
    code: Code.FailedPrecondition,
  });
});

test("a document of any shape is read or refused with words, and never harms the reader", (t) => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.nat(40), (json, cut) => {
      for (const document of [json, json.slice(0, cut), `{"hostMetrics": ${json}}`]) {
        const reading = readConfigDocument(document);
        if (reading.valid) {
          const interval = reading.config.hostMetrics?.intervalSeconds ?? 60;
          if (interval < 10 || interval > 3600) return false;
        } else if (reading.problem === "") return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.regex(
    String((readConfigDocument("[".repeat(60_000)) as { problem?: string }).problem),
    /not JSON/,
  );
  t.is(({} as Record<string, unknown>).x, undefined);
});
