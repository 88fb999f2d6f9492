import test from "ava";
import { timeTicks, valueTicks } from "../../../console/cli/chart/axis.ts";
import { type Chart, drawChart } from "../../../console/cli/chart.ts";
import { makeTerminal } from "../../../console/cli/terminal.ts";
import { sizeText, unitName, valueText } from "../../../console/cli/units.ts";
import { textWidth } from "../../../console/cli/width.ts";

process.env.TZ = "UTC";

const MINUTE = 60_000;
const now = Date.UTC(2026, 0, 5, 15, 0);
const from = now - 60 * MINUTE;
const terminal = makeTerminal({ isTTY: true, columns: 80 }, { NO_COLOR: "1" });

const every = (minutes: number, value: (minute: number) => number) =>
  Array.from({ length: 60 / minutes }, (_point, index) => ({
    time: from + index * minutes * MINUTE,
    value: value(index * minutes),
  }));

const chart = (series: Chart["series"], more: Partial<Chart> = {}): Chart => ({
  metric: "system.cpu.load_average.1m",
  unit: "{thread}",
  notes: ["as measured"],
  from,
  to: now,
  now,
  step: undefined,
  series,
  ...more,
});

/** What is right of the axis, a line for each row of the plot. */
const plot = (text: string) =>
  text.split("\n").flatMap((line) => /^[^│┤|+]*[│┤|+](.*)$/.exec(line)?.[1] ?? []);

test("a chart names its metric, unit, times and ages, and sums up the line", (t) => {
  const text = drawChart(chart([{ name: "host=a", points: every(1, (m) => m / 10) }]), {
    terminal,
  });
  t.regex(text, /^system\.cpu\.load_average\.1m · threads · as measured\n/);
  t.regex(text, /\n0 ┤|\n0\.0 ┤/);
  t.regex(text, / 14:10 +14:20 +14:30/);
  t.regex(text, /\n +1 hour ago +now\n/);
  t.regex(text, /host=a +5\.90 {2}1 minute ago {2}min 0 {2}avg 2\.95 {2}max 5\.90/);
  t.true(text.split("\n").every((line) => textWidth(line) <= 80));
  t.notRegex(text, /no points/);
});

test("a rising line rises", (t) => {
  const rows = plot(
    drawChart(chart([{ name: "a", points: every(1, (m) => m) }]), { terminal, ascii: true }),
  );
  const heights = rows.flatMap((row, index) =>
    row.includes("*") ? [row.indexOf("*") - index] : [],
  );
  t.deepEqual(
    heights,
    heights.toSorted((a, b) => b - a),
  );
});

test("where nothing was measured, nothing is drawn", (t) => {
  const points = every(1, () => 5).filter((_point, minute) => minute < 20 || minute >= 40);
  const text = drawChart(chart([{ name: "a", points }]), { terminal });
  const line = plot(text).find((row) => /[\u2801-\u28ff]/.test(row)) ?? "";
  t.regex(line, /^[^ ]+ {15,}[^ ]+/);
  t.regex(text, /└[─┬]+╌[╌┬]{10,}─/);
  t.regex(text, /╌╌ no points in that time/);
});

test("ASCII is enough, and tells several lines apart by signs", (t) => {
  const series = ["used", "free", "cached"].map((name, index) => ({
    name: `state=${name}`,
    points: every(5, () => (index + 1) * 2 ** 30),
  }));
  const text = drawChart(chart(series, { metric: "system.memory.usage", unit: "By" }), {
    terminal,
    ascii: true,
  });
  t.regex(text, /^[\n\x20-\x7e]*$/);
  t.regex(text, /2\.0 GiB \+/);
  t.regex(text, /\* state=used +1 GiB/);
  t.regex(text, /o state=free +2 GiB/);
  t.regex(text, /x state=cached +3 GiB/);
});

test("lines are told apart by colour where there is colour", (t) => {
  const series = ["a", "b"].map((name, index) => ({ name, points: every(5, () => index) }));
  const colourful = makeTerminal({ isTTY: true, columns: 80 }, { FORCE_COLOR: "1" });
  const text = drawChart(chart(series), { terminal: colourful });
  t.true(text.includes("\x1b[36m━━\x1b[39m a"));
  t.true(text.includes("\x1b[33m━━\x1b[39m b"));
});

test("a flat line, a single point and zero can be drawn", (t) => {
  for (const value of [0, 5, -3, 1e12]) {
    const text = drawChart(chart([{ name: "a", points: [{ time: now - MINUTE, value }] }]), {
      terminal,
    });
    t.is(plot(text).join("").replaceAll(" ", "").length, 1);
  }
});

test("values read in the unit of their metric", (t) => {
  t.is(valueText(0.4237, "1", "system.cpu.utilization"), "42.4%");
  t.is(valueText(3 * 2 ** 30, "By", "system.memory.usage"), "3 GiB");
  t.is(valueText(2_500_000, "By/s", ""), "2.38 MiB/s");
  t.is(valueText(0.0123, "s", ""), "12.3 ms");
  t.is(valueText(90_000, "s", "system.uptime"), "25 h");
  t.is(valueText(12_345, "{packet}", ""), "12.3 k");
  t.is(valueText(0, "By", ""), "0 B");
  t.is(unitName("{packet}/s"), "packets per second");
  t.is(unitName("Cel"), "Cel");
  t.is(sizeText(500_000_000), "500 MB");
});

test("axes have round numbers", (t) => {
  const { ticks } = valueTicks(1, 22, 6, { factor: 1, suffix: "" });
  t.deepEqual(
    ticks.map(({ label }) => label),
    ["0", "5", "10", "15", "20", "25"],
  );
  const zoomed = valueTicks(95.2, 96.1, 6, { factor: 1, suffix: "%" });
  t.is(zoomed.ticks[0]?.label, "95.2%");
  t.is(zoomed.ticks.at(-1)?.label, "96.2%");
});

test("times are round in local time, and days have their names", (t) => {
  const labels = (start: number, end: number, most: number) =>
    timeTicks(start, end, most).map(({ label }) => label);
  t.deepEqual(labels(from, now, 4), ["14:00", "14:15", "14:30", "14:45", "15:00"]);
  t.deepEqual(labels(now - 24 * 60 * MINUTE, now, 4), ["18:00", "Jan 5", "06:00", "12:00"]);
  t.deepEqual(labels(now - 3 * MINUTE, now, 6).slice(0, 2), ["14:57:00", "14:57:30"]);
  t.deepEqual(labels(now - 30 * 86_400_000, now, 5).at(0), "Dec 13");
});

test("times in which points were lost are marked as such, not as mere silence", (t) => {
  const points = every(1, (m) => m).filter(({ time }) => time < from + 20 * MINUTE);
  const lost = [{ from: from + 21 * MINUTE, to: from + 40 * MINUTE }];
  const text = drawChart(chart([{ name: "host=a", points }], { lost }), { terminal });
  t.regex(text, /└[─┬╌]+╳{10,}[╌┬]+/);
  t.regex(text, /╳╳ points of that time were measured and lost/);
  t.regex(text, /╌╌ no points in that time/);
  const ascii = drawChart(chart([{ name: "host=a", points }], { lost }), { terminal, ascii: true });
  t.regex(ascii, /!{10,}/);
});
