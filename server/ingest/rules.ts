import type { Duration } from "@bufbuild/protobuf/wkt";

/** What metrics_service.proto promises, as pure checks. A reason is worded for the sender. */

export const MOST_SERIES = 20_000;
export const MOST_POINTS = 100_000;
const MOST_LABELS = 64;
const MOST_AHEAD_MS = 10 * 60_000;

const NAME = /^[A-Za-z_:.][A-Za-z0-9_:.]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;
const PRINTABLE = /^[\x20-\x7e]{0,128}$/;
const RESERVED = "lumetry.";

/** Why a whole request cannot be taken, whatever is in it. */
export type WholeProblem = { kind: "invalid" | "too_large"; message: string };

export function checkWhole(
  request: { batchId: string; clockOffset?: Duration | undefined },
  series: number,
  points: number,
): WholeProblem | undefined {
  if (!isBatchId(request.batchId)) {
    return {
      kind: "invalid",
      message: "batch_id must be at most 128 printable ASCII characters",
    };
  }
  if (request.clockOffset && !isDuration(request.clockOffset)) {
    return { kind: "invalid", message: "clock_offset is not a valid duration" };
  }
  if (series > MOST_SERIES) {
    return {
      kind: "too_large",
      message: `${series} series are more than the ${MOST_SERIES} of one request: split it`,
    };
  }
  if (points > MOST_POINTS) {
    return {
      kind: "too_large",
      message: `${points} points are more than the ${MOST_POINTS} of one request: split it`,
    };
  }
  return undefined;
}

/** Printable ASCII, and not much of it. */
export function isBatchId(text: string): boolean {
  return PRINTABLE.test(text);
}

/** As Duration's own documentation has it: about 10,000 years either way, signs in agreement. */
function isDuration({ seconds, nanos }: Duration): boolean {
  return (
    seconds >= -315_576_000_000n &&
    seconds <= 315_576_000_000n &&
    Math.abs(nanos) <= 999_999_999 &&
    (seconds === 0n || nanos === 0 || seconds > 0n === nanos > 0)
  );
}

export function isMetricName(name: string): boolean {
  return name.length <= 255 && NAME.test(name);
}

/** Why a metric's name is refused; undefined when it is not. */
export function metricProblem(metric: string): string | undefined {
  if (isMetricName(metric)) return undefined;
  if (metric === "") return "it names no metric";
  if (metric.length > 255) return "its metric's name has more than 255 characters";
  return 'its metric\'s name is not made of letters, digits, "_", ":" and ".", or starts with a digit';
}

/** Why a set of labels is refused; undefined when it is not. */
export function labelsProblem(labels: Readonly<Record<string, string>>): string | undefined {
  const names = Object.keys(labels);
  if (names.length > MOST_LABELS) return `it has ${names.length} labels; at most ${MOST_LABELS}`;
  for (const name of names) {
    if (name.length > 128) return "a label's name has more than 128 bytes";
    if (!NAME.test(name)) {
      return `the name of the label ${quote(name)} is not made of letters, digits, "_", ":" and ".", or starts with a digit`;
    }
    if (name.startsWith(RESERVED)) {
      return `the label ${quote(name)} is the server's to set`;
    }
    const value = labels[name] ?? "";
    // No character takes more than three bytes, or six for two.
    if (value.length > 341 && Buffer.byteLength(value) > 1024) {
      return `the value of the label ${quote(name)} has more than 1024 bytes`;
    }
    if (!isPlainText(value)) {
      return `the value of the label ${quote(name)} holds control characters or half a character`;
    }
  }
  return undefined;
}

/** Text without control characters and without halves of characters. */
export function isPlainText(text: string): boolean {
  return !CONTROL.test(text) && text.isWellFormed();
}

/** A name that may hold anything, to be shown in one line. */
function quote(name: string): string {
  return JSON.stringify((name.length > 40 ? `${name.slice(0, 40)}…` : name).toWellFormed());
}

/** The times that points may have, by the sender's clock, and why others are refused. */
export interface Window {
  startMs: number;
  endMs: number;
  tooOld: string;
  tooNew: string;
}

export function windowOf(nowMs: number, retentionMs: number, clockOffsetMs: number): Window {
  return {
    startMs: nowMs - retentionMs + clockOffsetMs,
    endMs: nowMs + MOST_AHEAD_MS + clockOffsetMs,
    tooOld: `older than ${spell(retentionMs)}`,
    tooNew: "more than 10 minutes in the future",
  };
}

function spell(ms: number): string {
  for (const [unit, length] of [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
    ["second", 1_000],
  ] as const) {
    if (ms % length === 0) return `${ms / length} ${unit}${ms === length ? "" : "s"}`;
  }
  return `${ms} ms`;
}

/** The last millisecond that a Timestamp can tell: the end of the year 9999. */
const LAST_MS = 253_402_300_799_999;

/** What stands for the time of a point that has none, and of one whose time is not valid. */
export const NO_TIME = Number.NaN;
const NOT_A_TIME = Infinity;

/** A Timestamp in milliseconds since 1970, without what is finer. */
export function timeMs(seconds: number, nanos: number): number {
  return nanos >= 0 && nanos <= 999_999_999
    ? seconds * 1000 + Math.floor(nanos / 1_000_000)
    : NOT_A_TIME;
}

/** Why a point is refused; undefined when it is not. `ms` is NO_TIME or from `timeMs`. */
export function pointProblem(ms: number, value: number, window: Window): string | undefined {
  if (Number.isNaN(ms)) return "no time";
  if (ms === NOT_A_TIME) return "not a valid time";
  if (ms < window.startMs) return window.tooOld;
  if (ms > window.endMs) return window.tooNew;
  if (ms < 0 || ms > LAST_MS) return "before 1970 or after 9999";
  if (!Number.isFinite(value)) return "not a finite number";
  return undefined;
}
