import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";

/** A span as it is typed: an amount, and the milliseconds of its unit. */
export interface TypedSpan {
  amount: string;
  unit: number;
}

const SECOND = 1_000;

export const SPAN_UNITS = [
  { value: SECOND, label: "seconds" },
  { value: 60 * SECOND, label: "minutes" },
  { value: 3_600 * SECOND, label: "hours" },
  { value: 86_400 * SECOND, label: "days" },
];

/** In the largest unit that leaves nothing over. */
export function typedSpan(ms: number): TypedSpan {
  const unit = SPAN_UNITS.findLast(({ value }) => ms >= value && ms % value === 0)?.value ?? SECOND;
  return { amount: String(ms / unit), unit };
}

/** In milliseconds; not a number when it says nothing. */
export const spanMs = ({ amount, unit }: TypedSpan): number =>
  amount.trim() === "" ? Number.NaN : Math.round(Number(amount) * unit);

/** The longest that a Duration of the contract can be. */
const MOST_MS = 315_576_000_000_000;

/** Seconds as they are typed, as near as the contract can say them: the server tells what is allowed. */
export function typedSeconds(text: string): Duration {
  const ms = Math.round(Number(text) * SECOND);
  return durationFromMs(Number.isNaN(ms) ? 0 : Math.max(-MOST_MS, Math.min(ms, MOST_MS)));
}
