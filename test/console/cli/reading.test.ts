import test from "ava";
import { readLabel, readMatcher, splitLabels } from "../../../console/cli/labels.ts";
import { readMoment, stepFor } from "../../../console/cli/times.ts";
import { LabelMatcher_Operation as Operation } from "../../../gen/lumetry/v1/metric_query_service_pb.js";

process.env.TZ = "Europe/Paris";
const now = Date.parse("2026-01-05T14:47:12Z");

test("a time can be written in many ways", (t) => {
  const iso = (text: string) => new Date(readMoment(text, now)).toISOString();
  t.is(iso("now"), "2026-01-05T14:47:12.000Z");
  t.is(iso("2h"), "2026-01-05T12:47:12.000Z");
  t.is(iso("30m ago"), "2026-01-05T14:17:12.000Z");
  t.is(iso("15:04"), "2026-01-05T14:04:00.000Z"); // Paris is an hour ahead
  t.is(iso("2026-01-04"), "2026-01-03T23:00:00.000Z");
  t.is(iso("2026-01-04 06:30"), "2026-01-04T05:30:00.000Z");
  t.is(iso("2026-01-04T06:30:05Z"), "2026-01-04T06:30:05.000Z");
  t.throws(() => readMoment("yesterday", now), { message: /Write a time such as/ });
  t.throws(() => readMoment("2026-13-40", now));
  t.throws(() => readMoment("2026-02-31", now));
  t.throws(() => readMoment("2026-02-29 10:00", now));
  t.throws(() => readMoment("25:00", now));
});

test("labels are matched by values, by expressions and by lists", (t) => {
  const values: string[] = [];
  const equal = { operation: Operation.EQUAL, values };
  t.deepEqual(readMatcher("host!=web=1", readMatcher("state=used")), [
    { ...equal, label: "state", value: "used" },
    { ...equal, label: "host", operation: Operation.NOT_EQUAL, value: "web=1" },
  ]);
  t.deepEqual(readMatcher("state="), [{ ...equal, label: "state", value: "" }]);
  t.deepEqual(readMatcher("host=~web.*", readMatcher("host!~db|cache")), [
    { ...equal, label: "host", operation: Operation.NOT_MATCHES, value: "db|cache" },
    { ...equal, label: "host", operation: Operation.MATCHES, value: "web.*" },
  ]);
  t.deepEqual(readMatcher("host in (a, b)", readMatcher("host not in (c)")), [
    { label: "host", operation: Operation.NOT_IN, value: "", values: ["c"] },
    { label: "host", operation: Operation.IN, value: "", values: ["a", "b"] },
  ]);
  t.throws(() => readMatcher("state"), { message: /Write label=value/ });
  t.deepEqual(readLabel("b=2", readLabel("a=1")), { a: "1", b: "2" });
});

test("series are named by what sets them apart", (t) => {
  t.deepEqual(
    splitLabels([
      { host: "a", state: "used" },
      { host: "a", state: "free" },
    ]),
    { common: { host: "a" }, names: ["state=used", "state=free"] },
  );
});

test("a long span is combined in round steps", (t) => {
  t.is(stepFor(6 * 3_600_000, 400), 60_000);
  t.is(stepFor(30 * 86_400_000, 400), 2 * 3_600_000);
  t.is(stepFor(5_000 * 86_400_000, 400), 13 * 86_400_000);
});
