import { getOption } from "@bufbuild/protobuf";
import test from "ava";
import { relayedPaths } from "../../../collector/relay/allow-list.ts";
import { access } from "../../../gen/lumetry/access/v1/access_pb.js";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { type RelayGround, relayableSuite, relayCases } from "../../suites/relayable.ts";
import { addAgent, addProfile } from "../../support/agent.ts";
import { addCollector } from "../../support/collector.ts";
import { listMethods } from "../../support/contract.ts";
import { startTestRelay, type TestRelay } from "../../support/relay.ts";
import { setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { allWays } from "../../support/ways.ts";

let server: TestServer;
let relay: TestRelay;
let ground: RelayGround;

test.before(async () => {
  server = await startTestServer();
  const owner = await setUp(server);
  const collector = await addCollector(server, owner);
  const agent = await addAgent(server, owner);
  const profile = await addProfile(server, owner, { maxUses: 1_000 });
  relay = await startTestRelay({ server, credential: collector.credential });
  const places = [
    { name: "directly", ways: await allWays(server) },
    { name: "through a collector over TLS", ways: await allWays(relay.secure) },
    { name: "through a collector without TLS", ways: await allWays(relay.cleartext) },
  ];
  const agents = server.client(AgentService, owner.token);
  ground = {
    places,
    credential: agent.credential,
    profileToken: profile.token,
    async cameBy(t, place) {
      const shown = await agents.getAgent({ agentId: agent.agentId });
      const expected = place === places[0] ? "" : collector.collectorId;
      t.is(shown.agent?.path?.collectorId, expected, place.name);
    },
  };
});
test.after.always(async () => {
  await relay?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

relayableSuite(test, () => ground);

test("every method that the contract lets through is relayed, and tried here", (t) => {
  const relayable = listMethods().filter((method) => getOption(method, access).relayable);
  const paths = relayable.map((method) => `/${method.parent.typeName}/${method.name}`);
  t.deepEqual([...relayedPaths].sort(), paths.sort());
  const tried = new Set(relayCases.map(({ method }) => method.name));
  t.deepEqual(
    relayable.map(({ name }) => name).filter((name) => !tried.has(name)),
    [],
  );
});
