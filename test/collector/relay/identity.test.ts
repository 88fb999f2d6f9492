import { Code, createClient } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../../gen/lumetry/access/v1/problem_pb.js";
import { ConfigService } from "../../../gen/lumetry/edge/v1/config_service_pb.js";
import { HeartbeatService } from "../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { MetricsService } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { AgentService } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { CollectorService } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { addAgent } from "../../support/agent.ts";
import { addCollector } from "../../support/collector.ts";
import { addSender } from "../../support/points.ts";
import { refused } from "../../support/refusal.ts";
import { startTestRelay } from "../../support/relay.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import type { TransportOptions } from "../../support/transports.ts";

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const WAYS: TransportOptions[] = [
  { protocol: "connect", httpVersion: "1.1" },
  { protocol: "grpc" },
  { protocol: "grpc-web", httpVersion: "1.1" },
];

test("a hop header that an agent makes up is worthless: the collector's own takes its place", async (t) => {
  const [real, other] = [await addCollector(server, owner), await addCollector(server, owner)];
  const agent = await addAgent(server, owner);
  await using relay = await startTestRelay({ server, credential: real.credential });
  for (const way of WAYS) {
    const transport = relay.secure.transport({
      ...way,
      token: agent.credential,
      relay: other.credential,
    });
    await createClient(ConfigService, transport).getConfig({});
    const shown = await server
      .client(AgentService, owner.token)
      .getAgent({ agentId: agent.agentId });
    t.is(shown.agent?.path?.collectorId, real.collectorId);
  }
});

test("through a collector of another zone, or one that was revoked, an agent hears that the way is closed, and nothing of its identity", async (t) => {
  const { zone } = await server
    .client(ZoneService, owner.token)
    .createZone({ displayName: "elsewhere" });
  const agent = await addAgent(server, owner);
  const elsewhere = await addCollector(server, { ...owner, zoneId: zone?.zoneId ?? "" });
  const revoked = await addCollector(server, owner);
  await server
    .client(CollectorService, owner.token)
    .revokeCollector({ collectorId: revoked.collectorId });
  for (const { credential } of [elsewhere, revoked]) {
    await using relay = await startTestRelay({ server, credential });
    for (const way of WAYS) {
      const transport = relay.secure.transport({ ...way, token: agent.credential });
      const refusal = await refused(createClient(ConfigService, transport).getConfig({}));
      t.is(refusal.code, Code.Unavailable);
      t.is(refusal.reason, Reason.RELAY_REFUSED);
    }
  }
});

test("a collector passes on nothing but what agents call, and only for agents", async (t) => {
  const collector = await addCollector(server, owner);
  const { secret } = await addSender(server, owner.token);
  await using relay = await startTestRelay({ server, credential: collector.credential });
  for (const way of WAYS) {
    const as = (token: string) => relay.secure.transport({ ...way, token });
    const zones = await refused(createClient(ZoneService, as(owner.token)).listZones({}));
    t.is(zones.code, Code.Unimplemented);
    // Whoever is not an agent may call the server, but not in a collector's name.
    const heartbeat = { processId: "process-1", sequence: 1n };
    for (const [call, word] of [
      [createClient(MetricsService, as(secret)).writeMetrics({}), "an ingestion key"],
      [
        createClient(HeartbeatService, as(collector.credential)).sendHeartbeat(heartbeat),
        "a collector",
      ],
    ] as const) {
      const refusal = await refused(call);
      t.is(refusal.code, Code.PermissionDenied, word);
      t.is(refusal.reason, Reason.NOT_ALLOWED, word);
    }
  }
});
