import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { ChannelService } from "../../../gen/lumetry/v1/channel_service_pb.js";
import { IncidentService } from "../../../gen/lumetry/v1/incident_service_pb.js";
import {
  NotificationRouteSettings_Grouping as Grouping,
  NotificationRouteService,
} from "../../../gen/lumetry/v1/notification_route_service_pb.js";
import { type AlertChange, recordTransitions } from "../../../server/alerts/transitions.ts";
import { openAlerts } from "../../support/alerts.ts";
import { eventually } from "../../support/eventually.ts";
import { startReceiver } from "../../support/receiver.ts";
import { setUp, startTestServer } from "../../support/server.ts";

/** Each writer has its own, as each alert has one who judges it. */
const NAMES = ["a", "b"];
const WRITERS = 3;

class Killed extends Error {}

/** What somebody says, and whether they are killed before the commit. */
const step = fc.record({
  changes: fc.array(
    fc.record({ name: fc.constantFrom(...NAMES), fires: fc.boolean(), again: fc.boolean() }),
    { minLength: 1, maxLength: 5 },
  ),
  isKilled: fc.boolean(),
});

test("whoever says what, twice, at once or killed in the middle: each transition is told once on each channel", async (t) => {
  const settings = { egressAllow: ["127.0.0.0/8"], encryptionKeyFile: await makeKeyFile(t) };
  await using server = await startTestServer(settings);
  const { token, workspaceId } = await setUp(server);
  const { databaseUrl } = server;
  await using _second = await startTestServer({ ...settings, databaseUrl });
  await using receivers = new AsyncDisposableStack();
  const heard = [receivers.use(await startReceiver()), receivers.use(await startReceiver())];
  const channelIds: string[] = [];
  for (const [index, { url }] of heard.entries()) {
    const { channel } = await server
      .client(ChannelService, token)
      .createChannel({ displayName: `channel ${index}`, url });
    channelIds.push(channel?.channelId ?? "");
  }
  await server.client(NotificationRouteService, token).createNotificationRoute({
    settings: {
      displayName: "each",
      channelIds,
      grouping: Grouping.ALERT,
      groupInterval: durationFromMs(0),
    },
  });
  await using alerts = openAlerts(server, workspaceId);

  const run = async (writer: number, { changes, isKilled }: Step) => {
    try {
      await alerts.db.transaction().execute(async (transaction) => {
        const said = changes.flatMap((change) => toChanges(writer, change));
        await recordTransitions(transaction, workspaceId, said);
        if (isKilled) throw new Killed();
      });
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  };
  const steps = fc.sample(step, { numRuns: 60, seed: 20_261_126 });
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      for (const one of steps.filter((_step, index) => index % WRITERS === writer)) {
        await run(writer, one);
      }
      const changes = NAMES.map((name) => ({ name, fires: false, again: false }));
      await run(writer, { changes, isKilled: false });
    }),
  );

  // The history of alerts is the truth: as many transitions, so many messages, each once.
  const history = await server.sql<{ name: string; state: string; count: string }>(
    `select group_key as name, to_state as state, count(*) as count
     from alert_transitions join alerts using (workspace_id, alert_id)
     where to_state in ('firing', 'resolved') group by 1, 2 order by 1, 2`,
  );
  const total = history.reduce((sum, { count }) => sum + Number(count), 0);
  t.true(total > 20, `only ${total} transitions`);
  for (const { received } of heard) {
    await eventually("all is told", () => received.length >= total);
    const told = new Map<string, number>();
    for (const { body } of received) {
      const { data } = JSON.parse(body) as {
        data: { alerts: { summary: string; status: string }[] };
      };
      t.is(data.alerts.length, 1);
      const key = `${data.alerts[0]?.summary} ${data.alerts[0]?.status}`;
      told.set(key, (told.get(key) ?? 0) + 1);
    }
    t.deepEqual(
      [...told].sort(),
      history
        .map(({ name, state, count }): [string, number] => [`${name} ${state}`, Number(count)])
        .sort(),
    );
    const ids = new Set(received.map(({ headers }) => headers["webhook-id"]));
    t.is(ids.size, received.length);
  }
  const { incidents } = await server.client(IncidentService, token).listIncidents({});
  t.true(incidents.every(({ firingCount }) => firingCount === 0));
  t.is(incidents.filter(({ resolveTime }) => resolveTime === undefined).length, 0);
});

async function makeKeyFile(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-key-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const file = path.join(directory, "encryption.key");
  await writeFile(file, `${randomBytes(32).toString("base64")}\n`);
  return file;
}

interface Step {
  changes: Said[];
  isKilled: boolean;
}

interface Said {
  name: string;
  fires: boolean;
  again: boolean;
}

function toChanges(writer: number, { name, fires, again }: Said): AlertChange[] {
  const groupKey = `${name}${writer}`;
  const key = { origin: "system" as const, source: `kind_${groupKey}`, groupKey };
  const details = { severity: "warning" as const, summary: groupKey, labels: {} };
  const change: AlertChange = fires
    ? { kind: "fire", key, atMs: Date.now(), details }
    : { kind: "resolve", key, atMs: Date.now(), reason: "" };
  return again ? [change, change] : [change];
}
