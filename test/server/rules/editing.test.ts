import { durationFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { type Alert, Alert_State as State } from "../../../gen/lumetry/v1/alert_pb.js";
import {
  Grouping_Operation as Across,
  QueryRangeRequest_Aggregation as Aggregation,
  LabelMatcher_Operation as Operation,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { RuleSettings_Direction as Direction } from "../../../gen/lumetry/v1/rule_pb.js";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import { shiftClock } from "../../support/collector.ts";
import { eventually } from "../../support/eventually.ts";
import { openRules, type Rules, type TestRule } from "../../support/judging.ts";
import type { Settings } from "../../support/rules.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let rules: Rules["rules"];
let alerts: Rules["alerts"];
let addRule: Rules["addRule"];

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  ({ rules, alerts, addRule } = await openRules(server, owner));
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const MINUTE = 60_000;
const SECOND = 1_000;

const above = (value: number, recoveryValue?: number): Pick<Settings, "condition"> => ({
  condition: {
    case: "threshold",
    value: {
      direction: Direction.ABOVE,
      value,
      ...(recoveryValue !== undefined && { recoveryValue }),
    },
  },
});

/** Each alert's host, state and why it ended. */
const shown = (found: readonly Alert[]) =>
  found
    .map(({ labels, state, resolveReason }) =>
      [labels.host ?? "all", State[state], resolveReason].filter(Boolean).join(" "),
    )
    .sort();

/** A rule with a window of a second, by which these hosts have alerts that fire. */
async function firing(
  hosts: readonly string[],
  settings: Partial<Settings> = {},
): Promise<TestRule> {
  const rule = await addRule({ window: durationFromMs(SECOND), ...settings });
  for (const host of hosts) await rule.send(host, [Date.now() - 20 * SECOND, 95]);
  await eventually("they fire", async () => (await rule.list()).length === hosts.length);
  return rule;
}

test("an alert that is still right under the edited rule goes on, and ends by what the rule says now", async (t) => {
  const rule = await firing(["a"]);
  const [before] = await rule.list();
  await rule.edit({ ...above(93), window: durationFromMs(2 * SECOND) });
  t.deepEqual(shown(await rule.list()), ["a FIRING"]);
  // It would not be wrong by what the rule said before it was edited again.
  await rule.edit({ ...above(70), aggregation: Aggregation.MAXIMUM });
  await rule.send("a", [Date.now() - 15 * SECOND, 75]);
  const [same, ...others] = await rule.settled();
  t.deepEqual(others, []);
  t.is(same?.state, State.FIRING);
  t.is(same?.alertId, before?.alertId);
  t.is(same?.summary, before?.summary);
  await rule.edit(above(80));
  t.deepEqual(shown(await rule.list()), ["a FIRING"]);
  await rule.send("a", [Date.now() - 10 * SECOND, 75]);
  t.deepEqual(shown(await rule.settled()), ["a RESOLVED it is 75, no longer above 80"]);
});

test("words, severity, muting, the time to hold and recovery end nothing", async (t) => {
  const rule = await firing(["a"]);
  const edits: Partial<Settings>[] = [
    { displayName: `${rule.metric} by another name` },
    { message: "{{ $value }} now" },
    { severity: Severity.CRITICAL },
    { runbookUrl: "https://example.com/other" },
    { labels: { team: "storage" } },
    {
      mutingWindows: [
        { start: "00:00", end: "23:59" },
        { start: "12:00", end: "11:59" },
      ],
    },
    { for: durationFromMs(10 * MINUTE) },
    above(90, 50),
  ];
  for (const edit of edits) {
    await rule.edit(edit);
    t.deepEqual(shown(await rule.list()), ["a FIRING"], JSON.stringify(Object.keys(edit)));
  }
  const [alert] = await rule.list();
  t.like(alert, {
    severity: Severity.CRITICAL,
    summary: "95 now",
    runbookUrl: "https://example.com/other",
    labels: { host: "a", team: "storage" },
  });
  await rule.send("a", [Date.now() - 10 * SECOND, 60]);
  t.deepEqual(shown(await rule.settled()), ["a FIRING"]);
  await rule.send("a", [Date.now() - 5 * SECOND, 45]);
  t.deepEqual(shown(await rule.settled()), ["a RESOLVED it is 45, no longer above 50"]);
});

test("alerts end with their group, the metric, the kind of condition or the rule, and say which", async (t) => {
  const gone = "RESOLVED the rule was changed: this is no group of it any more";
  const rule = await firing(["a", "b", "c"]);
  await rule.edit({ matchers: [{ label: "host", operation: Operation.MATCHES, value: "a|b" }] });
  t.deepEqual(shown(await rule.list()), ["a FIRING", "b FIRING", `c ${gone}`]);
  // Each host still is a group by itself, now by that label.
  await rule.edit({ grouping: { operation: Across.MAXIMUM, labels: ["host"] } });
  t.deepEqual(shown(await rule.list()).slice(0, 2), ["a FIRING", "b FIRING"]);
  await rule.edit({ grouping: { operation: Across.MAXIMUM, labels: [] } });
  t.deepEqual(shown(await rule.list()), [`a ${gone}`, `b ${gone}`, `c ${gone}`]);
  const [ended] = await rule.list();
  const { transitions } = await alerts.getAlert({ alertId: ended?.alertId ?? "" });
  t.regex(transitions.at(-1)?.reason ?? "", /no group of it any more/);

  const edits: [Partial<Settings>, string][] = [
    [{ metric: "test.another" }, "looks at test.another, no longer at test"],
    [
      { condition: { case: "absence", value: { duration: durationFromMs(MINUTE) } } },
      "another kind of condition",
    ],
    [{ disabled: true }, "was disabled"],
  ];
  for (const [edit, words] of edits) {
    const other = await firing(["a"]);
    await other.edit(edit);
    const [alert] = await other.list();
    t.is(alert?.state, State.RESOLVED);
    t.true(alert?.resolveReason.includes(words), alert?.resolveReason);
  }
  const deleted = await firing(["a"]);
  await rules.deleteRule({ ruleId: deleted.ruleId });
  const left = await server.sql<{ state: string; resolve_reason: string }>(
    "select state, resolve_reason from alerts where rule_id = $1",
    [deleted.ruleId],
  );
  t.deepEqual(left, [{ state: "resolved", resolve_reason: "the rule was deleted" }]);
});

test("what is pending begins anew when the bound is another, and goes on when only the time is", async (t) => {
  const pending = { window: durationFromMs(SECOND), for: durationFromMs(5 * MINUTE) };
  const now = Date.now();
  const start = async () => {
    const rule = await addRule(pending);
    await rule.send("a", [now - 4 * MINUTE, 95]);
    t.deepEqual(shown(await rule.settled()), ["a PENDING"]);
    return rule;
  };
  const timed = await start();
  await timed.edit({ for: durationFromMs(3 * MINUTE) });
  t.deepEqual(shown(await timed.list()), ["a PENDING"]);
  await timed.send("a", [now - 10 * SECOND, 95]);
  t.deepEqual(shown(await timed.settled()), ["a FIRING"]);
  const bound = await start();
  await bound.edit({ ...above(80), for: durationFromMs(3 * MINUTE) });
  t.deepEqual(await bound.list(), []);
  await bound.send("a", [now - 10 * SECOND, 95]);
  t.deepEqual(shown(await bound.settled()), ["a PENDING"]);
});

/** Has a rule's document as a newer version of the server might write it, and evaluated anew. */
async function rewrite({ ruleId }: TestRule, document: string): Promise<void> {
  await server.sql(`update rules set document = ${document} where rule_id = $1`, [ruleId]);
  await server.sql("update rule_progress set rules_revision = rules_revision + 1");
}

for (const [words, document] of [
  ["a condition", `document - 'threshold' || '{"anomaly": {"sensitivity": 3}}'`],
  ["a setting", `document || '{"seasons": 7}'`],
  ["a value", `document || '{"aggregation": "AGGREGATION_MEDIAN"}'`],
] as const) {
  test(`a rule with ${words} of a newer version is not evaluated, says so, and goes on where it stood`, async (t) => {
    const rule = await firing(["a", "b"]);
    const [{ document: whole } = { document: {} }] = await server.sql<{ document: object }>(
      "select document from rules where rule_id = $1",
      [rule.ruleId],
    );
    await rewrite(rule, document);
    const other = await firing(["x"]);
    await rule.send("a", [Date.now() - 15 * SECOND, 20]);
    await rule.settled();
    t.deepEqual(shown(await rule.list()), ["a FIRING", "b FIRING"]);
    t.deepEqual(shown(await other.list()), ["x FIRING"]);
    const { rule: told } = await rules.getRule({ ruleId: rule.ruleId });
    t.not(told?.notEvaluated, "");
    t.is(told?.firingAlerts, 2n);
    t.is((await rules.getRule({ ruleId: other.ruleId })).rule?.notEvaluated, "");

    await rewrite(rule, `'${JSON.stringify(whole)}'`);
    t.is((await rules.getRule({ ruleId: rule.ruleId })).rule?.notEvaluated, "");
    await rule.send("a", [Date.now() - 10 * SECOND, 20]);
    await rule.send("b", [Date.now() - 10 * SECOND, 99]);
    t.deepEqual(shown(await rule.settled()), [
      "a RESOLVED it is 20, no longer above 90",
      "b FIRING",
    ]);
  });
}

test.serial(
  "whoever was heard of while a rule was not evaluated is not missed by it",
  async (t) => {
    const rule = await addRule({
      condition: { case: "absence", value: { duration: durationFromMs(30 * SECOND) } },
    });
    await rule.send("a", [Date.now(), 1]);
    await rule.settled();
    const [{ document } = { document: {} }] = await server.sql<{ document: object }>(
      "select document from rules where rule_id = $1",
      [rule.ruleId],
    );
    await rewrite(rule, `document || '{"seasons": 7}'`);
    await rule.settled();
    for (const seconds of [16, 32, 48]) {
      await shiftClock(server, `${seconds} seconds`);
      await rule.send("a", [Date.now() + seconds * SECOND, 1]);
      await rule.settled();
    }
    await rewrite(rule, `'${JSON.stringify(document)}'`);
    await shiftClock(server, "60 seconds");
    await rule.settled(10 * SECOND);
    t.deepEqual(await rule.list(), []);
  },
);

test("a rule of a newer version that somebody replaces begins anew", async (t) => {
  const rule = await firing(["a"]);
  const { rule: whole } = await rules.getRule({ ruleId: rule.ruleId });
  await rewrite(rule, `document || '{"seasons": 7}'`);
  const { rules: done } = await rules.applyRules({
    rules: whole?.settings ? [whole.settings] : [],
  });
  t.is(done.length, 1);
  t.deepEqual(shown(await rule.list()), ["a RESOLVED the rule was changed"]);
  t.is((await rules.getRule({ ruleId: rule.ruleId })).rule?.notEvaluated, "");
});
