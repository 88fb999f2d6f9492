import {
  RuleSettings_Day as Day,
  type RuleSettings_MutingWindow as MutingWindow,
} from "../../gen/lumetry/v1/rule_pb.js";
import { InvalidRule } from "./invalid.ts";

const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const EVERY_DAY = [
  Day.MONDAY,
  Day.TUESDAY,
  Day.WEDNESDAY,
  Day.THURSDAY,
  Day.FRIDAY,
  Day.SATURDAY,
  Day.SUNDAY,
];

/** Whether one of the windows is open at a time, by its own clock on the wall. */
export function readMuting(windows: readonly MutingWindow[]): (ms: number) => boolean {
  const rules = windows.map(readWindow);
  return rules.length === 0 ? () => false : (ms) => rules.some((covers) => covers(ms));
}

function readWindow(window: MutingWindow): (ms: number) => boolean {
  const start = minuteOf(window.start);
  const end = minuteOf(window.end);
  const length = end > start ? end - start : end - start + DAY_MINUTES;
  const days = window.days.length > 0 ? window.days : EVERY_DAY;
  const starts = days.map((day) => (day - Day.MONDAY) * DAY_MINUTES + start);
  const minuteOfWeek = clockIn(window.timeZone || "UTC");
  return (ms) => {
    const now = minuteOfWeek(ms);
    return starts.some((from) => (now - from + WEEK_MINUTES) % WEEK_MINUTES < length);
  };
}

function minuteOf(time: string): number {
  const [hours = "0", minutes = "0"] = time.split(":");
  return Number(hours) * 60 + Number(minutes);
}

/** Tells the minute of the week, from Monday 00:00 on, in a time zone. */
function clockIn(timeZone: string): (ms: number) => number {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  } catch {
    throw new InvalidRule(
      `muting_windows: ${JSON.stringify(timeZone)} is no time zone; write one such as "Europe/Berlin"`,
    );
  }
  // Offsets change on whole minutes, so within one minute the answer is the same.
  let lastMinute = Number.NaN;
  let last = 0;
  return (ms) => {
    const minute = Math.floor(ms / 60_000);
    if (minute === lastMinute) return last;
    const [weekday = "", time = ""] = format.format(minute * 60_000).split(/,? /);
    lastMinute = minute;
    last = WEEKDAYS.indexOf(weekday) * DAY_MINUTES + minuteOf(time);
    return last;
  };
}
