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
