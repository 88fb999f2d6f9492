/** An agent runs on a document of its own, or on its profile's. */
import { Code } from "@connectrpc/connect";
import test from "ava";
import { AcknowledgeConfigRequest_Outcome as Outcome } from "../../../gen/lumetry/edge/v1/config_service_pb.js";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { ConfigurationService } from "../../../gen/lumetry/v1/configuration_service_pb.js";
import { addAgent, addProfile, enrollAgent } from "../../support/agent.ts";
import { addCollector, edgeCalls, makeProcess } from "../../support/collector.ts";
import { refused } from "../../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const configs = () => server.client(ConfigurationService, owner.token);
const every = (seconds: number) => `{"hostMetrics": {"intervalSeconds": ${seconds}}}`;
const publish = (targetId: string, document: string) =>
  configs().publishConfiguration({ targetId, document });
const stateOf = async (agentId: string) => {
  const { agent } = await server.client(AgentService, owner.token).getAgent({ agentId });
  return agent?.config;
};

test("what is published for a profile reaches all its agents, those too that enroll later", async (t) => {
  const { token, profileId } = await addProfile(server, owner);
  const first = edgeCalls(server, (await enrollAgent(server, token)).credential);
  t.like(await first.config.getConfig({}), { revision: 0n, document: "{}" });
  const { config } = await publish(profileId, every(30));
  t.is(config?.revision, 1n);
  const later = edgeCalls(server, (await enrollAgent(server, token)).credential);
  for (const { config: agent } of [first, later]) {
    t.like(await agent.getConfig({}), { revision: 1n, document: every(30) });
  }
});

test("publishing for a profile touches no agent until it asks, and it is told at its next heartbeat", async (t) => {
  const { agentId, profileId, credential } = await addAgent(server, owner);
  const agent = makeProcess(server, credential);
  t.is((await agent.beat()).latestConfigRevision, 0n);
  await publish(profileId, every(20));
  await publish(profileId, every(30));
  const before = await server.sql("select 1 from edge_configs where edge_id = $1", [agentId]);
  t.is(before.length, 0);
  t.is((await agent.beat()).latestConfigRevision, 1n);
  t.is((await agent.beat()).latestConfigRevision, 1n);
  t.like(await stateOf(agentId), { latestRevision: 1n, profileRevision: 2n });
});

test("an agent's own document wins, its revisions only grow, and withdrawn it gives way again", async (t) => {
  const { agentId, profileId, config } = await addAgent(server, owner);
  await publish(profileId, every(20));
  t.like(await config.getConfig({}), { revision: 1n, document: every(20) });
  await publish(agentId, every(30));
  t.like(await config.getConfig({}), { revision: 2n, document: every(30) });
  await publish(profileId, every(40));
  t.like(await config.getConfig({}), { revision: 2n, document: every(30) });
  t.is((await stateOf(agentId))?.profileRevision, 0n);
  await configs().withdrawConfiguration({ targetId: agentId });
  t.like(await config.getConfig({}), { revision: 3n, document: every(40) });
  t.is((await stateOf(agentId))?.profileRevision, 2n);

  const { configs: history } = await configs().listConfigurations({ targetId: agentId });
  t.deepEqual(
    history.map(({ revision, document, profileRevision }) => [revision, document, profileRevision]),
    [
      [3n, every(40), 2n],
      [2n, every(30), 0n],
      [1n, every(20), 1n],
    ],
  );
  const { config: reverted } = await configs().revertConfiguration({
    targetId: agentId,
    revision: 1n,
  });
  t.like(reverted, { revision: 4n, document: every(20), profileRevision: 0n });
});

test("withdrawn where nothing was published for the profile, the defaults apply, as a revision", async (t) => {
  const { agentId, config } = await addAgent(server, owner);
  await publish(agentId, every(30));
  await configs().withdrawConfiguration({ targetId: agentId });
  t.like(await config.getConfig({}), { revision: 2n, document: "{}" });
});

test("there is nothing to withdraw where nothing was published, nor for collectors and profiles", async (t) => {
  const { agentId, profileId } = await addAgent(server, owner);
  const { collectorId } = await addCollector(server, owner);
  await publish(collectorId, every(30));
  for (const targetId of [agentId, collectorId]) {
    t.like(await refused(configs().withdrawConfiguration({ targetId })), {
      code: Code.FailedPrecondition,
    });
  }
  t.like(await refused(configs().withdrawConfiguration({ targetId: profileId })), {
    code: Code.FailedPrecondition,
  });
});

test("how a profile's revision fared is counted over its agents", async (t) => {
  const { token, profileId } = await addProfile(server, owner);
  await publish(profileId, every(30));
  const outcomes = [Outcome.APPLIED, Outcome.APPLIED, Outcome.REJECTED];
  for (const outcome of outcomes) {
    const { config } = edgeCalls(server, (await enrollAgent(server, token)).credential);
    const { revision } = await config.getConfig({});
    await config.acknowledgeConfig({ revision, outcome, reason: "because" });
  }
  const { config } = await configs().getConfiguration({ targetId: profileId });
  t.like(config, { appliedAgents: 2n, rejectedAgents: 1n });
});

test("many at once that ask after a publication get one revision each", async (t) => {
  const { agentId, profileId, credential, config } = await addAgent(server, owner);
  const agent = makeProcess(server, credential);
  await publish(profileId, every(30));
  const answers = await Promise.all([
    ...Array.from({ length: 10 }, () => config.getConfig({})),
    agent.beat().then(({ latestConfigRevision }) => ({ revision: latestConfigRevision })),
  ]);
  t.deepEqual([...new Set(answers.map(({ revision }) => revision))], [1n]);
  const rows = await server.sql("select 1 from edge_configs where edge_id = $1", [agentId]);
  t.is(rows.length, 1);
});

test("two people who publish for a profile over the same revision do not overwrite each other unseen", async (t) => {
  const { profileId } = await addProfile(server, owner);
  await publish(profileId, every(30));
  const call = configs().publishConfiguration({
    targetId: profileId,
    document: every(40),
    expectedRevision: 0n,
  });
  t.like(await refused(call), { code: Code.Aborted });
});
