import { type Duration, durationMs, type Timestamp } from "@bufbuild/protobuf/wkt";

/** A request that asks for what cannot be; the message says what to write instead. */
export class InvalidQuery extends Error {
  override name = "InvalidQuery";
}

/** A request for more than one answer can hold; the message says what to narrow. */
export class TooMuch extends Error {
  override name = "TooMuch";
}

/** Whole milliseconds since 1970: from the start on, up to but without the end. */
export interface Span {
  startMs: number;
  endMs: number;
}

const FIRST_SECOND = -62_135_596_800n; // 0001-01-01
const LAST_SECOND = 253_402_300_799n; // 9999-12-31

/** The first whole millisecond that is not before a time. */
function millisecondOf(time: Timestamp | undefined, field: string): number {
  if (
    time === undefined ||
    time.seconds < FIRST_SECOND ||
    time.seconds > LAST_SECOND ||
    time.nanos < 0 ||
    time.nanos > 999_999_999
  ) {
    throw new InvalidQuery(`${field} is not a time between the years 1 and 9999`);
  }
  return Number(time.seconds) * 1000 + Math.ceil(time.nanos / 1_000_000);
}

export function spanOf(request: {
  startTime?: Timestamp | undefined;
  endTime?: Timestamp | undefined;
}): Span {
  const startMs = millisecondOf(request.startTime, "start_time");
  const endMs = millisecondOf(request.endTime, "end_time");
  if (endMs <= startMs) throw new InvalidQuery("end_time must be after start_time");
  return { startMs, endMs };
}

/** The length of a step in milliseconds. */
export function stepOf(step: Duration): number {
  if (step.nanos % 1_000_000 !== 0) {
    throw new InvalidQuery("step must be a whole number of milliseconds");
  }
  return durationMs(step);
}

/** Text that no catalog can hold names nothing there. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
