import type { Scale } from "../units.ts";

export interface Tick {
  value: number;
  label: string;
}

/** Round numbers that cover a span of values, with labels in one scale. */
export function valueTicks(
  least: number,
  most: number,
  count: number,
  scale: Scale,
): { least: number; most: number; ticks: Tick[] } {
  let low = least / scale.factor;
  let high = most / scale.factor;
  // Levels are seen best from zero, unless that would press them into a thin line at the top.
  if (low > 0 && low <= high * 0.6) low = 0;
  if (high === low) {
    const room = high === 0 ? 1 : Math.abs(high) * 0.1;
    if (low !== 0) low -= room;
    high += room;
  }
  const step = niceStep((high - low) / count);
  const from = Math.floor(low / step + 1e-9) * step;
  const to = Math.ceil(high / step - 1e-9) * step;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks: Tick[] = [];
  for (let index = 0; index <= Math.round((to - from) / step); index += 1) {
    const value = from + index * step;
    ticks.push({ value: value * scale.factor, label: `${value.toFixed(digits)}${scale.suffix}` });
  }
  return { least: from * scale.factor, most: to * scale.factor, ticks };
}

/** The smallest of 1, 2 and 5 times a power of ten that is not smaller than `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const times = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10;
  return times * power;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIME_STEPS = [
  ...[1, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 28].map((count) => count * DAY),
];

const two = (number: number) => String(number).padStart(2, "0");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const dayLabel = (date: Date) => `${MONTHS[date.getMonth()]} ${date.getDate()}`;

/** Round local times within a span of milliseconds, at most `most` of them. */
export function timeTicks(from: number, to: number, most: number): Tick[] {
  const step = TIME_STEPS.find((each) => (to - from) / each <= most) ?? 28 * DAY;
  const label = (date: Date) => {
    const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()];
    if (step >= DAY || (hours === 0 && minutes === 0 && seconds === 0)) return dayLabel(date);
    return `${two(hours)}:${two(minutes)}${step < MINUTE ? `:${two(seconds)}` : ""}`;
  };
  const ticks: Tick[] = [];
  // Counted anew from each local midnight, so that a change of the clocks shifts nothing after it.
  const midnight = new Date(from);
  midnight.setHours(0, 0, 0, 0);
  const days = Math.max(1, Math.round(step / DAY));
  while (midnight.getTime() <= to) {
    const start = midnight.getTime();
    midnight.setDate(midnight.getDate() + days);
    for (let time = start; time < midnight.getTime(); time += step) {
      if (time >= from && time <= to) ticks.push({ value: time, label: label(new Date(time)) });
      if (step >= DAY) break;
    }
  }
  return ticks;
}
