import { createClient } from "@connectrpc/connect";
import test from "ava";
import { ConfigService } from "../../../gen/lumetry/edge/v1/config_service_pb.js";
import { Attention_Kind as Kind } from "../../../gen/lumetry/v1/edge_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { addAgent } from "../../support/agent.ts";
import { askStatus } from "../../support/collector-process.ts";
import { eventually } from "../../support/eventually.ts";
import { install } from "../../support/installation.ts";
import { setUp, startTestServer } from "../../support/server.ts";
import { startStand } from "../../support/stand.ts";
import { makeTransports } from "../../support/transports.ts";

test("a collector relays, reports it, does as its zone says, and collects on when its port is taken", async (t) => {
  await using server = await startTestServer({ heartbeatInterval: 500 });
  const owner = await setUp(server);
  const agent = await addAgent(server, owner);
  await using installation = await install(server, owner);
  const first = installation.start({ relayListen: "127.0.0.1:0" });
  await installation.connected(first);

  const relay = await eventually("it relays", async () => {
    const { relay } = (await first.status()) ?? {};
    return relay?.problem === undefined && relay;
  });
  const { port } = new URL(relay.url);
  using clients = makeTransports(`http://127.0.0.1:${port}`, "");
  const config = createClient(
    ConfigService,
    clients.transport({ token: agent.credential, httpVersion: "1.1" }),
  );
  await config.getConfig({});

  const shown = await eventually("the server knows of the call", async () => {
    const collector = await installation.shown();
    return collector.relay?.relayedCalls === 1n && collector;
  });
  t.is(shown.relay?.url, relay.url);
  t.is(Buffer.from(shown.relay?.publicKeySha256 ?? []).toString("hex"), relay.publicKeySha256);
  t.true(shown.relay?.cleartext);
  t.true(shown.attention.some(({ kind }) => kind === Kind.CLEARTEXT_RELAY));

  await server
    .client(ZoneService, owner.token)
    .updateZone({ zoneId: owner.zoneId, allowCleartextRelay: false });
  await eventually("cleartext is refused", () =>
    config.getConfig({}).then(
      () => false,
      () => true,
    ),
  );
  const output = await eventually("its status says so", async () => {
    const { output } = await askStatus(installation.dataDir);
    return /cleartext +refused/.test(output) && output;
  });
  t.regex(output, /relay +https:\/\/.* \d calls relayed, \d+ turned away/);
  t.regex(output, new RegExp(`relay's key +sha256:${relay.publicKeySha256}`));
  await first.stop();

  await using holder = await startStand();
  const second = installation.start({ relayListen: `127.0.0.1:${holder.port}` });
  await installation.connected(second);
  await eventually("the server is warned", async () =>
    (await installation.shown()).attention.some(({ kind }) => kind === Kind.RELAY_DOWN),
  );
  t.regex(
    (await askStatus(installation.dataDir)).output,
    /relay +down: .*something else listens there/,
  );
  await holder[Symbol.asyncDispose]();
  await eventually(
    "it relays again",
    async () => (await second.status())?.relay?.problem === undefined,
  );
});
