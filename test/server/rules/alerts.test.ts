import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import test from "ava";
import { type Alert, Alert_State as State } from "../../../gen/lumetry/v1/alert_pb.js";
import type { AlertService } from "../../../gen/lumetry/v1/alert_service_pb.js";
import type { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { shiftClock } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { openRules, type Rules } from "../../support/judging.ts";
import { aboveBound } from "../../support/rules.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let rules: Client<typeof RuleService>;
let alerts: Client<typeof AlertService>;
let addRule: Rules["addRule"];

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  ({ rules, alerts, addRule } = await openRules(server, owner));
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Points of a series every ten seconds. */
const every10s = (fromMs: number, toMs: number, value: number): [number, number][] =>
  Array.from({ length: Math.ceil((toMs - fromMs) / 10_000) }, (_, at) => [
    fromMs + at * 10_000,
    value,
  ]);

const overOf = ([alert]: readonly Alert[]) => alert?.state === State.RESOLVED && alert;
const states = (found: readonly Alert[]) => found.map(({ state }) => State[state]);

test("a value above a bound fires, and ends when it is back", async (t) => {
  const { send, list } = await addRule({
    window: durationFromMs(1_000),
    message: "{{ $labels.host }} is at {{ $value }}",
    runbookUrl: "https://example.com/runbook",
    labels: { team: "storage" },
  });
  const now = Date.now();
  await send("a", [now - 10_000, 95]);
  await send("b", [now - 10_000, 50]);
  const firing = await eventually("it fires", async () => (await list())[0]);
  t.is(firing.state, State.FIRING);
  t.is(firing.summary, "a is at 95");
  t.is(firing.runbookUrl, "https://example.com/runbook");
  t.deepEqual(firing.labels, { host: "a", team: "storage" });
  t.is(firing.startTime && timestampMs(firing.startTime), Math.ceil((now - 10_000) / 1000) * 1000);
  await send("a", [now - 5_000, 80]);
  const ended = await eventually("it ends", async () => overOf(await list()));
  t.is(ended.resolveReason, "it is 80, no longer above 90");
  const { alert, transitions } = await alerts.getAlert({ alertId: ended.alertId });
  t.deepEqual(
    transitions.map(({ from, to, value }) => [State[from], State[to], value]),
    [
      ["UNSPECIFIED", "FIRING", 95],
      ["FIRING", "RESOLVED", 80],
    ],
  );
  t.is(JSON.stringify(alert?.evidence).includes('"host":"a"'), true);
  t.is((await list()).length, 1);
});

test("an outage of three hours ends: nothing opens for what is over, one alert for what still holds", async (t) => {
  const { send, settled } = await addRule({ window: durationFromMs(30_000) });
  const now = Date.now();
  const breach = (fromMs: number, toMs: number) => every10s(fromMs, toMs, 95);
  const calm = (fromMs: number, toMs: number) => every10s(fromMs, toMs, 10);
  // Oldest first, in pieces, as a queue is emptied.
  const over = [
    ...calm(now - 3 * HOUR, now - 2 * HOUR),
    ...breach(now - 2 * HOUR, now - HOUR),
    ...calm(now - HOUR, now),
  ];
  const holds = [
    ...calm(now - 3 * HOUR, now - 2 * HOUR),
    ...breach(now - 2 * HOUR, now - 90 * MINUTE),
    ...calm(now - 90 * MINUTE, now - 40 * MINUTE),
    ...breach(now - 40 * MINUTE, now),
  ];
  for (let at = 0; at < over.length; at += 300) {
    await send("over", ...over.slice(at, at + 300));
    await send("holds", ...holds.slice(at, at + 300));
  }
  const found = await settled();
  t.deepEqual(
    found.map(({ labels, state }) => [labels.host, State[state]]),
    [["holds", "FIRING"]],
  );
  const began = timestampMs(found[0]?.startTime ?? timestampFromMs(0));
  t.is(Math.round((began - now) / MINUTE), -40);
});

test("what is sent again, in whatever pieces, changes nothing", async (t) => {
  const { send, settled } = await addRule({
    window: durationFromMs(20_000),
    for: durationFromMs(20_000),
  });
  const start = Date.now() - 5 * MINUTE;
  const points: [number, number][] = [
    ...every10s(start, start + MINUTE, 95),
    ...every10s(start + MINUTE, start + 2 * MINUTE, 10),
    ...every10s(start + 2 * MINUTE, start + 3 * MINUTE, 95),
  ];
  for (const point of points) await send("a", point);
  const once = await settled();
  t.deepEqual(states(once), ["RESOLVED", "FIRING"]);
  for (const point of points.toReversed()) await send("a", point);
  await send("a", ...points);
  t.deepEqual(await settled(), once);
});

test.serial(
  "nothing from a group that was heard of fires, and ends when it comes again",
  async (t) => {
    const { send, list, settled } = await addRule({
      condition: { case: "absence", value: { duration: durationFromMs(30_000) } },
    });
    await send("a", [Date.now(), 1]);
    await settled(2_000);
    // Half a minute passes in two steps: in one, nobody would have listened for so long.
    await shiftClock(server, "16 seconds");
    await settled(16_000);
    await shiftClock(server, "32 seconds");
    const fired = await eventually("it fires", async () => (await list())[0]);
    t.is(fired.state, State.FIRING);
    t.regex(fired.summary, /has not come for 30 seconds/);
    const { startTime, fireTime } = fired;
    t.is(startTime && fireTime && timestampMs(fireTime) - timestampMs(startTime), 30_000);
    await send("a", [Date.now() + 32_000, 1]);
    await eventually("it ends", async () => overOf(await list()));
  },
);

test("what is muted begins when the window is over", async (t) => {
  const now = new Date();
  const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  const { send, settled } = await addRule({
    window: durationFromMs(1_000),
    mutingWindows: [{ start: clock(+now - HOUR), end: clock(+now - 4 * MINUTE) }],
  });
  await send("a", [+now - 8 * MINUTE, 95], [+now - 7 * MINUTE, 10], [+now - 6 * MINUTE, 96]);
  t.deepEqual(await settled(), []);
  await send("a", [+now - 5_000, 97]);
  const [alert] = await settled();
  t.is(alert?.value, 97);
  t.is(
    alert?.startTime && timestampMs(alert.startTime),
    Math.ceil((+now - 6 * MINUTE) / 1000) * 1000,
  );
});

test("a preview of a rule that nothing was ever sent for answers that there is nothing", async (t) => {
  const endMs = Date.now();
  const preview = await rules.previewRule({
    settings: aboveBound("test.never_sent"),
    startTime: timestampFromMs(endMs - 31 * 24 * HOUR),
    endTime: timestampFromMs(endMs),
  });
  t.is(preview.groupCount, 0n);
  t.deepEqual(preview.episodes, []);
});

test.serial("what is applied without changing anything has nothing evaluated anew", async (t) => {
  const { ruleId } = await addRule();
  const { rule } = await rules.getRule({ ruleId });
  const revision = async () => {
    const rows = await server.sql<{ rules_revision: string }>(
      "select rules_revision from rule_progress where workspace_id = $1",
      [owner.workspaceId],
    );
    return Number(rows[0]?.rules_revision);
  };
  const before = await revision();
  const other = aboveBound("test.other", { displayName: "other" });
  await rules.applyRules({ rules: rule?.settings ? [rule.settings] : [] });
  await rules.applyRules({ rules: [other], dryRun: true });
  t.is(await revision(), before);
  await rules.applyRules({ rules: [other] });
  t.is(await revision(), before + 1);
});
