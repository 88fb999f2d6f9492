/** The console says things in the words of the command line, though it may import nothing of it. */
import { create, type JsonValue } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import test from "ava";
import fc from "fast-check";
import * as cliAggregations from "../../../console/cli/aggregations.ts";
import * as cliLabels from "../../../console/cli/labels.ts";
import * as cliSources from "../../../console/cli/source-text.ts";
import * as cliSystemAlerts from "../../../console/cli/system-alert-text.ts";
import * as cliTimes from "../../../console/cli/times.ts";
import * as cliUnits from "../../../console/cli/units.ts";
import * as cliWords from "../../../console/cli/words.ts";
import * as points from "../../../console/web/src/charts/points.ts";
import { compareLines } from "../../../console/web/src/edges/compare-lines.ts";
import { csvOf } from "../../../console/web/src/pages/metrics/export.ts";
import { rowsOf } from "../../../console/web/src/pages/source/poll-rows.ts";
import * as drafts from "../../../console/web/src/pages/system-alerts/draft.ts";
import * as documents from "../../../console/web/src/sources/document.ts";
import * as ages from "../../../console/web/src/words/ages.ts";
import * as combinations from "../../../console/web/src/words/combinations.ts";
import * as counts from "../../../console/web/src/words/counts.ts";
import * as labels from "../../../console/web/src/words/labels.ts";
import * as sources from "../../../console/web/src/words/sources.ts";
import * as spans from "../../../console/web/src/words/spans.ts";
import * as systemAlerts from "../../../console/web/src/words/system-alerts.ts";
import * as units from "../../../console/web/src/words/units.ts";
import { Severity } from "../../../gen/lumetry/v1/severity_pb.js";
import {
  SystemAlertKind as Kind,
  SystemAlertSettingsSchema,
  UpdateSystemAlertKindRequestSchema,
  WatchedKindSchema,
} from "../../../gen/lumetry/v1/system_alert_service_pb.js";
import * as libAge from "../../../lib/age.ts";

const same = <Input extends unknown[]>(
  arbitrary: fc.Arbitrary<Input>,
  ours: (...input: Input) => unknown,
  theirs: (...input: Input) => unknown,
) =>
  fc.assert(
    fc.property(arbitrary, (input) => {
      const [a, b] = [JSON.stringify(ours(...input)), JSON.stringify(theirs(...input))];
      if (a !== b) throw new Error(`${a} is not ${b}`);
    }),
    { numRuns: 2_000 },
  );

const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
);
const unit = fc.constantFrom("By", "By/s", "s", "1", "%", "{thread}", "{point}/s", "", "Cel");
const metric = fc.constantFrom("system.cpu.utilization", "system.memory.usage");
const labelSet = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.string({ maxLength: 3 }));

test("ages, spans, counts and values read the same in both", (t) => {
  const ms = fc.integer({ min: -4e11, max: 4e11 });
  same(fc.tuple(ms), ages.ageText, libAge.ageText);
  same(fc.tuple(ms), ages.spanText, libAge.spanText);
  const whole = fc.integer({ min: 0, max: 4e8 }).map((seconds) => seconds * 1_000);
  same(fc.tuple(fc.oneof(whole, ms)), ages.setSpanText, libAge.setSpanText);
  same(fc.tuple(value, unit, metric), units.valueText, cliUnits.valueText);
  same(fc.tuple(fc.double({ min: 0, max: 1e18, noNaN: true })), units.sizeText, cliUnits.sizeText);
  same(fc.tuple(unit), units.unitName, cliUnits.unitName);
  same(fc.tuple(fc.double({ min: 0, max: 1e6, noNaN: true })), sources.msText, cliSources.msText);
  same(
    fc.tuple(fc.integer(), fc.constantFrom("point", "collector")),
    counts.counted,
    cliWords.counted,
  );
  t.pass();
});

test("series are named and stepped the same in both", (t) => {
  same(fc.tuple(fc.array(labelSet, { maxLength: 5 })), labels.splitLabels, cliLabels.splitLabels);
  same(
    fc.tuple(fc.integer({ min: 1, max: 4e10 }), fc.integer({ min: 1, max: 500 })),
    points.stepFor,
    cliTimes.stepFor,
  );
  t.pass();
});

test("conditions on labels are read the same in both, and read again as they are written", (t) => {
  const word = fc.constantFrom("a", "b.c", "in", "not", "x y", "", ",", "(", "1");
  const text = fc
    .tuple(word, fc.constantFrom("=", "!=", "=~", "!~", " in ", " not in ", " "), word, word)
    .map(([label, sign, first, second]) =>
      sign.includes("in") ? `${label}${sign}(${first}, ${second})` : `${label}${sign}${first}`,
    );
  same(fc.tuple(text), labels.readMatcher, (each) => {
    try {
      return cliLabels.readMatcher(each)[0];
    } catch {
      return undefined;
    }
  });
  fc.assert(
    fc.property(text, (each) => {
      const read = labels.readMatcher(each);
      const again = read && labels.readMatcher(labels.matcherText(read));
      return JSON.stringify(read) === JSON.stringify(again);
    }),
  );
  t.pass();
});

test("what combines points and series is read the same in both", (t) => {
  const words = [...combinations.aggregationWords(""), "p99.9", "p101", "quantile", "top3", "-"];
  for (const word of words) {
    t.deepEqual(
      combinations.readAggregation(word),
      combined(() => cliAggregations.readAggregation(word)),
      word,
    );
  }
  for (const word of [...combinations.groupingWords(""), "top0", "top1000", "rate"]) {
    t.deepEqual(
      combinations.readGrouping(word),
      combined(() => cliAggregations.readGrouping(word)),
      word,
    );
  }
});

function combined<Operation>(read: () => cliAggregations.Combination<Operation>) {
  try {
    const { operation, quantile, limit } = read();
    return { operation, quantile, limit };
  } catch {
    return undefined;
  }
}

test("what a person types into a form is what the command line takes, and is lost by neither view", (t) => {
  const draft: documents.Draft = { kind: "tcpCheck", settings: {} };
  const set = (path: string, value: JsonValue | undefined, keeps = false) => {
    draft.settings = documents.withValue(draft.settings, path, value, keeps);
  };
  set("target.host", "db");
  set("target.port", 5432);
  set("tls", {});
  set("tls.serverName", "db.internal", true);
  set("tls.serverName", undefined, true);
  t.deepEqual(draft.settings, { target: { host: "db", port: 5432 }, tls: {} });
  t.deepEqual(documents.readJson(documents.jsonText(draft)), draft);
  const settings = documents.toSettings(draft);
  t.is(sources.targetText(settings), "db:5432");
  t.deepEqual(documents.draftOf(settings), draft);
  set("target.port", undefined);
  set("target.host", undefined);
  t.deepEqual(draft.settings, { tls: {} });
  t.throws(() => documents.readJson('{"tcpCheck": {"hots": 1}}'), { message: /hots/ });
  t.throws(() => documents.readJson("{"), { message: /no JSON/ });
  t.throws(() => documents.readJson('{"a": {}}'), { message: /one kind/ });
});

test("polls are listed newest first, with the times for which there is none", (t) => {
  const at = (...minutes: number[]) =>
    minutes.map((minute) => ({ time: minute * 60_000, value: minute === 2 ? 0 : 1 }));
  t.deepEqual(
    rowsOf(at(0, 1, 2, 6), [{ time: 60_000, value: 0.25 }]).map(({ time, isUp, tookMs, gapMs }) => [
      time / 60_000,
      gapMs === undefined ? isUp : gapMs / 60_000,
      tookMs,
    ]),
    [
      [6, true, undefined],
      [3, 3, undefined],
      [2, false, undefined],
      [1, true, 250],
      [0, true, undefined],
    ],
  );
});

test("the words for an age change when it is said that they will", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: -2e8, max: 2e9 }), (age) => {
      const ms = ages.nextChange(age);
      // Just before it they are what they were; a whole second is never missed.
      return ms <= 60 || ages.ageText(age) === ages.ageText(age + ms - 51) || ms >= 1_000;
    }),
  );
  t.pass();
});

test("a stretch without points is a gap, however often points come", (t) => {
  const at = (...times: number[]) => times.map((time) => ({ time, value: 1 }));
  t.deepEqual(points.withGaps(at(0, 60_000, 120_000, 600_000, 660_000)), [
    [0, 60, 120, 180, 600, 660],
    [1, 1, 1, null, 1, 1],
  ]);
  t.deepEqual(points.withGaps(at(0, 10_000, 25_000, 30_000))[1], [1, 1, 1, 1]);
  t.deepEqual(points.withGaps([]), [[], []]);
});

test("what two documents have in common and what not, taken apart, is the two again", (t) => {
  const text = fc.array(fc.constantFrom("{", "}", "a", "b", '"c": 1'), { maxLength: 12 });
  fc.assert(
    fc.property(text, text, (old, now) => {
      const [before, after] = [old.join("\n"), now.join("\n")];
      const lines = compareLines(before, after);
      const of = (...sides: string[]) =>
        lines
          .filter(({ side }) => sides.includes(side))
          .map((line) => line.text)
          .join("\n");
      return of("same", "removed") === before && of("same", "added") === after;
    }),
  );
  t.pass();
});

test("an export keeps commas, quotes and line breaks in their field, and is no formula", (t) => {
  const csv = csvOf("m", {
    series: [
      { labels: { room: 'a "b", c\nd', run: "=1+1" }, points: [{ time: 0, value: 1.5 }] },
      { labels: { room: "x" }, points: [{ time: 1000, value: Number.NaN }] },
    ],
  });
  t.is(
    csv,
    [
      "time,metric,room,run,value",
      `1970-01-01T00:00:00.000Z,m,"a ""b"", c\nd",'=1+1,1.5`,
      "1970-01-01T00:00:01.000Z,m,x,,NaN",
      "",
    ].join("\r\n"),
  );
});

const settingsOf = (threshold: drafts.Threshold, holdDownMs: number, recoveryMs: number) =>
  create(SystemAlertSettingsSchema, {
    enabled: true,
    severity: Severity.WARNING,
    threshold,
    holdDown: durationFromMs(holdDownMs),
    recovery: durationFromMs(recoveryMs),
  });
const thresholds = fc.oneof(
  fc.constant<drafts.Threshold>({ case: undefined }),
  fc
    .tuple(fc.constantFrom("heartbeats" as const, "percent" as const), fc.nat(1_100))
    .map(([form, value]) => ({ case: form, value })),
  fc
    .integer({ min: 0, max: 400 * 86_400 })
    .map((seconds) => ({ case: "span" as const, value: durationFromMs(seconds * 1_000) })),
);
const lengths = fc.oneof(fc.nat(90_000), fc.constantFrom(0, 60, 5_400, 86_400, 86_401));

test("how a kind of system alert is watched reads the same in both", (t) => {
  same(
    fc.tuple(thresholds, lengths),
    (threshold, length) => [
      systemAlerts.thresholdText(settingsOf(threshold, 0, 0)),
      systemAlerts.lengthText(durationFromMs(length * 1_000)),
    ],
    (threshold, length) => [
      cliSystemAlerts.thresholdText(settingsOf(threshold, 0, 0)),
      cliSystemAlerts.lengthText(durationFromMs(length * 1_000)),
    ],
  );
  const count = fc.bigInt({ min: 0n, max: 3n });
  const open = (firing: bigint, suppressed: bigint, pending: bigint) =>
    create(WatchedKindSchema, { firing, suppressed, pending });
  same(
    fc.tuple(count, count, count),
    (...counts) => systemAlerts.nowText(open(...counts)),
    (...counts) => cliSystemAlerts.nowText(open(...counts)),
  );
  t.is(ages.setSpanText(5_400_000), "90 minutes", "nothing of what was set is rounded away");
  t.is(ages.setSpanText(7 * 86_400_000), "7 days");
});

test("the form of a kind of system alert lets in what the contract takes, and loses nothing", (t) => {
  const validator = createValidator();
  fc.assert(
    fc.property(thresholds, lengths, lengths, (threshold, holdDown, recovery) => {
      const draft = drafts.draftOf(settingsOf(threshold, holdDown * 1_000, recovery * 1_000));
      const request = create(UpdateSystemAlertKindRequestSchema, {
        kind: Kind.CLOCK_SKEW,
        threshold,
        holdDown: durationFromMs(holdDown * 1_000),
        recovery: durationFromMs(recovery * 1_000),
      });
      const isTaken = validator.validate(UpdateSystemAlertKindRequestSchema, request).kind;
      const mistakes = Object.keys(drafts.mistakesOf(draft)).length;
      if ((isTaken === "valid") !== (mistakes === 0)) throw new Error(JSON.stringify(draft));
      return (
        spans.spanMs(draft.holdDown) === holdDown * 1_000 &&
        drafts.isSame(Kind.CLOCK_SKEW, draft, draft)
      );
    }),
    { numRuns: 1_000 },
  );
  const form = drafts.draftOf(settingsOf({ case: "heartbeats", value: 3 }, 30_000, 0));
  for (const count of ["", "2.5", "-3", "1e2", "many"]) {
    t.regex(drafts.mistakesOf({ ...form, count }).threshold ?? "", /whole number from 2 to 1,000/);
  }
  t.regex(
    drafts.mistakesOf({ ...form, holdDown: { amount: "", unit: 1_000 } }).holdDown ?? "",
    /up to 24 hours/,
  );
});

test("what others change while a system alert's form is open is kept, beside what was typed", (t) => {
  const before = drafts.draftOf(settingsOf({ case: "heartbeats", value: 3 }, 30_000, 0));
  const typed = { ...before, count: "7" };
  const now = drafts.draftOf(settingsOf({ case: "heartbeats", value: 4 }, 60_000, 0));
  const next = drafts.rebased(typed, before, now);
  t.is(next.count, "7");
  t.deepEqual(drafts.changeOf(Kind.AGENT_MISSED_HEARTBEATS, next, now), {
    kind: Kind.AGENT_MISSED_HEARTBEATS,
    threshold: { case: "heartbeats", value: 7 },
  });
  t.deepEqual(drafts.rebased(before, before, now), now);
});
