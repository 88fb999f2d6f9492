import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import test from "ava";
import {
  type LabelMatcher,
  LabelMatcher_Operation as Operation,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { NotificationRouteService } from "../../../gen/lumetry/v1/notification_route_service_pb.js";
import { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import { SilenceService } from "../../../gen/lumetry/v1/silence_service_pb.js";
import { compilePattern } from "../../../server/catalog/patterns.ts";
import { makeStandingPatterns, STANDING } from "../../../server/catalog/standing-patterns.ts";
import { refused } from "../../support/refusal.ts";
import { aboveBound } from "../../support/rules.ts";
import { setUp, startTestServer } from "../../support/server.ts";

/** Ends nowhere, and keeps as many instructions at work as it has. */
const HOSTILE = `${"(.*a)?".repeat(60)}b`;

test("the work of a hostile expression is bounded by its program, the values and how many differ, not by how often it is asked", (t) => {
  let trials = 0;
  let work = 0;
  const program = compilePattern("host", HOSTILE).programSize();
  const patterns = makeStandingPatterns({
    onTrial: (_pattern, value) => {
      trials += 1;
      work += program * (value.length + 1);
    },
  });
  const values = Array.from({ length: 20 }, (_, at) => "a".repeat(100 + at));
  // As routes are, for each alert; the text is the same and the rule another.
  for (let round = 0; round < 200; round += 1) {
    const matches = patterns("host", HOSTILE);
    for (const value of values) t.false(matches(value));
  }
  t.is(trials, values.length);
  t.true(work <= values.length * STANDING.program * (STANDING.value + 1));
  t.true(patterns("host", HOSTILE)(`${"a".repeat(100)}b`));
  t.is(trials, values.length + 1);
});

test("a value that is too long is not tried and matches nothing", (t) => {
  let trials = 0;
  const patterns = makeStandingPatterns({
    onTrial: () => {
      trials += 1;
    },
  });
  const matches = patterns("host", "a*");
  t.true(matches("a".repeat(STANDING.value)));
  t.false(matches("a".repeat(STANDING.value + 1)));
  t.is(trials, 1);
});

test("expressions that are too long or too large are refused where they would stand, and say what to do", async (t) => {
  await using server = await startTestServer();
  const { token } = await setUp(server);
  const rules = server.client(RuleService, token);
  const routes = server.client(NotificationRouteService, token);
  const silences = server.client(SilenceService, token);
  const matcher = (value: string): Pick<LabelMatcher, "label" | "operation" | "value"> => ({
    label: "host",
    operation: Operation.MATCHES,
    value,
  });
  const said = (value: string) => [
    () => rules.createRule({ settings: aboveBound("m", { matchers: [matcher(value)] as never }) }),
    () =>
      rules.applyRules({
        rules: [aboveBound("m", { matchers: [matcher(value)] as never })],
        dryRun: true,
      }),
    () =>
      routes.createNotificationRoute({
        settings: {
          displayName: "r",
          conditions: { matchers: [matcher(value)], severities: [Severity.INFO] },
        },
      }),
    () =>
      silences.createSilence({
        conditions: { matchers: [matcher(value)] },
        endTime: timestampFromMs(Date.now() + 60_000),
        reason: "x",
      }),
  ];
  for (const [value, words] of [
    ["x".repeat(STANDING.pattern + 1), /"host" has 513 characters.*at most 512.*IN instead/],
    ["(x{1,40}){20}y{1,300}", /"host" is too large; write fewer repetitions/],
  ] as const) {
    for (const say of said(value)) {
      const error = await refused(say());
      t.is(error.code, Code.InvalidArgument);
      t.regex(error.message, words);
    }
  }
  for (const say of said("x".repeat(STANDING.pattern))) await t.notThrowsAsync(say());
});
