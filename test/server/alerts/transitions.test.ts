import test from "ava";
import { makeId } from "../../../lib/ids.ts";
import { silentLog } from "../../../lib/log.ts";
import { type AlertKey, deleteAlerts, listOpenOfRules } from "../../../server/alerts/store.ts";
import { type AlertChange, recordTransitions } from "../../../server/alerts/transitions.ts";
import {
  brokenConstraint,
  connectDatabase,
  type DatabaseConnection,
  migrate,
} from "../../../server/db/database.ts";
import { endMembers, resolveFinished } from "../../../server/incidents/store.ts";
import { endInGroups } from "../../../server/notifications/groups.ts";
import { freshDatabase } from "../../support/database.ts";

let database: Awaited<ReturnType<typeof freshDatabase>>;
let connection: DatabaseConnection;

test.before(async () => {
  database = await freshDatabase();
  connection = connectDatabase({ url: database.url }, { log: silentLog, connections: 4 });
  await migrate(connection.db);
});
test.after.always(async () => {
  await connection?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const key: AlertKey = { origin: "system", source: "missed_heartbeats", groupKey: "agt.one" };
const details = {
  severity: "warning",
  summary: "agent one is silent",
  labels: { a: "1" },
} as const;
const NOON = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;

async function scene() {
  const workspaceId = makeId("wsp");
  await connection.pool.query("insert into workspaces values ($1, 'W', 1)", [workspaceId]);
  const record = (...changes: AlertChange[]) =>
    connection.db
      .transaction()
      .execute((transaction) => recordTransitions(transaction, workspaceId, changes));
  const alerts = () =>
    connection.db
      .selectFrom("alerts")
      .selectAll()
      .where("workspace_id", "=", workspaceId)
      .orderBy("created_at")
      .execute();
  const history = async () =>
    (
      await connection.db
        .selectFrom("alert_transitions")
        .selectAll()
        .where("workspace_id", "=", workspaceId)
        .orderBy("transition_id")
        .execute()
    ).map(({ from_state, to_state, data_time }) => [
      `${from_state} → ${to_state}`,
      (+data_time - NOON) / MINUTE,
    ]);
  return { workspaceId, record, alerts, history };
}

test("an episode is one alert, however often each change is told", async (t) => {
  const { record, alerts, history } = await scene();
  const begin: AlertChange = { kind: "begin", key, atMs: NOON, details };
  const fire: AlertChange = { kind: "fire", key, atMs: NOON + MINUTE, details };
  const resolve: AlertChange = {
    kind: "resolve",
    key,
    atMs: NOON + 2 * MINUTE,
    reason: "heard of again",
  };
  for (const change of [begin, begin, fire, begin, fire, fire, resolve, resolve]) {
    await record(change);
  }
  const [alert, ...others] = await alerts();
  t.deepEqual(others, []);
  t.is(alert?.state, "resolved");
  t.is(alert?.resolve_reason, "heard of again");
  t.deepEqual(alert?.labels, { a: "1" });
  t.truthy(alert?.told_at);
  t.deepEqual(await history(), [
    ["none → pending", 0],
    ["pending → firing", 1],
    ["firing → resolved", 2],
  ]);
});

test("all of it at once is the same, and the next episode is another alert", async (t) => {
  const { record, alerts, history } = await scene();
  await record(
    { kind: "begin", key, atMs: NOON, details },
    { kind: "fire", key, atMs: NOON + MINUTE, details },
    { kind: "resolve", key, atMs: NOON + 2 * MINUTE, reason: "heard of again" },
    { kind: "fire", key, atMs: NOON + 4 * MINUTE, sinceMs: NOON + 3 * MINUTE, details },
  );
  const found = await alerts();
  t.deepEqual(found.map(({ state }) => state).sort(), ["firing", "resolved"]);
  t.deepEqual(await history(), [
    ["none → pending", 0],
    ["pending → firing", 1],
    ["firing → resolved", 2],
    ["none → firing", 4],
  ]);
});

test("what was pending fires and ends at once", async (t) => {
  const { record, alerts, history } = await scene();
  await record({ kind: "begin", key, atMs: NOON, details });
  await record(
    { kind: "fire", key, atMs: NOON + MINUTE, details },
    { kind: "resolve", key, atMs: NOON + 2 * MINUTE, reason: "heard of again" },
  );
  t.is((await alerts())[0]?.state, "resolved");
  t.is((await history()).length, 3);
});

test("what was pending only leaves nothing behind", async (t) => {
  const { record, alerts, history } = await scene();
  await record({ kind: "begin", key, atMs: NOON, details });
  await record({ kind: "resolve", key, atMs: NOON + MINUTE, reason: "over" });
  await record({ kind: "begin", key, atMs: NOON, details }, { kind: "forget", key });
  t.deepEqual(await alerts(), []);
  t.deepEqual(await history(), []);
});

test("nobody is told of what is suppressed, until it is not any more", async (t) => {
  const { record, alerts } = await scene();
  await record(
    { kind: "begin", key, atMs: NOON, details },
    { kind: "update", key, suppressedBy: "alr.cause" },
    { kind: "fire", key, atMs: NOON, details },
  );
  t.is((await alerts())[0]?.told_at, null);
  await record({ kind: "update", key, suppressedBy: null });
  t.truthy((await alerts())[0]?.told_at);
});

test("a value without end is kept", async (t) => {
  const { record, alerts } = await scene();
  await record({ kind: "fire", key, atMs: NOON, details: { ...details, value: -Infinity } });
  t.is((await alerts())[0]?.value, -Infinity);
});

test("two transactions that open the same alert cannot both succeed", async (t) => {
  const { workspaceId, alerts } = await scene();
  const both = Promise.withResolvers<void>();
  let inside = 0;
  const open = () =>
    connection.db.transaction().execute(async (transaction) => {
      await transaction.selectFrom("workspaces").select("workspace_id").limit(1).execute();
      inside += 1;
      if (inside === 2) both.resolve();
      await both.promise;
      await recordTransitions(transaction, workspaceId, [
        { kind: "fire", key, atMs: NOON, details },
      ]);
    });
  const outcomes = await Promise.allSettled([open(), open()]);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") {
      t.is(brokenConstraint(outcome.reason), "one_open_alert_per_group");
    }
  }
  t.is((await alerts()).length, 1);
});

test("more alerts may end at once than a statement has room for parameters", async (t) => {
  const { workspaceId } = await scene();
  const ids = Array.from({ length: 70_000 }, (_, at) => `alr.${at}`);
  for (const end of [deleteAlerts, listOpenOfRules, endMembers, resolveFinished, endInGroups]) {
    await t.notThrowsAsync(async () => {
      await end(connection.db, workspaceId, ids);
    }, end.name);
  }
});
