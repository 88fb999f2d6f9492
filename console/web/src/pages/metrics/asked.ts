import type { Span } from "../../client/range.ts";
import { useAddressed } from "../../ui/addressed.tsx";
import { readAggregation, readGrouping } from "../../words/combinations.ts";
import { type Matcher, matcherText, readMatcher } from "../../words/labels.ts";

const HOUR_MS = 3_600_000;
/** More on one page than anybody can look at. */
const MOST_METRICS = 20;
const MOST_LABELS = 16;
export const SPANS = [
  { value: "900", label: "15 min" },
  { value: "3600", label: "1 h" },
  { value: "21600", label: "6 h" },
  { value: "86400", label: "24 h" },
  { value: "604800", label: "7 d" },
  { value: "2592000", label: "30 d" },
] as const;

/** What is asked for, all of it in the address: to be shared, and to be found again by going back. */
export interface Asked {
  metrics: string[];
  matchers: Matcher[];
  span: Span;
  /** In seconds, as in the address; "" between two moments. */
  last: string;
  /** How points are combined in a step, such as "p95"; "" for what suits. */
  agg: string;
  /** How series are combined, such as "sum"; "" for not at all. */
  group: string;
  by: string[];
  stepMs: number | undefined;
}

/** An address may say anything: whatever is no whole number in its bounds counts as not there. */
function readNumber(text: string, least: number, most: number): number | undefined {
  const number = Number(text);
  return text !== "" && Number.isInteger(number) && number >= least && number <= most
    ? number
    : undefined;
}

const YEAR_9999_MS = 253_402_300_799_000;
const YEAR_S = 31_622_400;
const LONGEST_STEP_S = 2_678_400;

export function useAsked() {
  const { get, all, set } = useAddressed();
  const from = readNumber(get("from"), 0, YEAR_9999_MS);
  const to = readNumber(get("to"), 1, YEAR_9999_MS);
  const fixed = from !== undefined && to !== undefined && to > from ? { from, to } : undefined;
  const lastSeconds = readNumber(get("last"), 60, YEAR_S) ?? HOUR_MS / 1000;
  const last = fixed ? "" : String(lastSeconds);
  const stepSeconds = readNumber(get("step"), 0, LONGEST_STEP_S);
  const asked: Asked = {
    metrics: [...new Set(all("metric"))].slice(0, MOST_METRICS),
    matchers: all("match").flatMap((text) => readMatcher(text) ?? []),
    span: fixed ?? { lastMs: lastSeconds * 1000 },
    last,
    agg: readAggregation(get("agg")) ? get("agg") : "",
    group: readGrouping(get("group")) ? get("group") : "",
    by: [...new Set(all("by"))].slice(0, MOST_LABELS),
    stepMs: stepSeconds === undefined ? undefined : stepSeconds * 1000,
  };
  return {
    asked,
    toggleMetric: (metric: string) =>
      set(
        {
          metric: asked.metrics.includes(metric)
            ? asked.metrics.filter((each) => each !== metric)
            : [...asked.metrics, metric],
        },
        true,
      ),
    setMatchers: (matchers: Matcher[]) => set({ match: matchers.map(matcherText) }, true),
    setLast: (seconds: string) => set({ last: seconds, from: "", to: "" }, true),
    zoom: (start: number, end: number) =>
      set({ from: String(Math.round(start)), to: String(Math.round(end)) }, true),
    setAggregation: (agg: string) => set({ agg }, true),
    setGroup: (group: string) => set({ group, ...(group === "" && { by: [] }) }, true),
    setBy: (by: string[]) => set({ by, group: asked.group || "sum" }, true),
    setStep: (stepMs: number | undefined) =>
      set({ step: stepMs === undefined ? "" : String(stepMs / 1000) }, true),
  };
}
