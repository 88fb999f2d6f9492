/** What is wrong: a value beyond a bound, or nothing at all for some time. */
export type Condition =
  | {
      kind: "bound";
      isAbove: boolean;
      bound: number;
      /** A firing alert ends when the value is back here. */
      recovery: number;
      forMs: number;
    }
  | { kind: "absence"; durationMs: number };

export type Bound = Extract<Condition, { kind: "bound" }>;

/** Where a rule stands for a group. */
export interface GroupState {
  /** Since when the condition has held, in ms of the data's time; null while it does not. */
  sinceMs: number | null;
  /** It has held for long enough. */
  isFiring: boolean;
  /** What the alert says, which is less while nothing may begin. */
  alert: "none" | "pending" | "firing";
}

export const CALM: GroupState = { sinceMs: null, isFiring: false, alert: "none" };

export const isCalm = ({ sinceMs, isFiring, alert }: GroupState) =>
  sinceMs === null && !isFiring && alert === "none";

/** How an alert changes. */
export type Step =
  | { kind: "begin"; atMs: number }
  | { kind: "fire"; atMs: number; sinceMs: number }
  | { kind: "resolve"; atMs: number }
  | { kind: "forget" };

/** Whether a value is wrong; once it fires, it is so until it is back at the recovery value. */
export function isBeyond({ isAbove, bound, recovery }: Bound, value: number, isFiring: boolean) {
  const limit = isFiring ? recovery : bound;
  return isAbove ? value > limit : value < limit;
}

/**
 * What follows from one value of a group, later than those before. While `isQuiet`, nothing begins: what then
 * still holds begins at the first value after it. Whatever is over ends, quiet or not.
 */
export function judgeValue(
  condition: Bound,
  state: GroupState,
  atMs: number,
  value: number,
  isQuiet: boolean,
): { state: GroupState; step: Step | undefined } {
  if (!isBeyond(condition, value, state.isFiring)) return settle(state, atMs);
  const sinceMs = state.sinceMs ?? atMs;
  const isFiring = state.isFiring || atMs - sinceMs >= condition.forMs;
  return isQuiet
    ? { state: { ...state, sinceMs, isFiring }, step: undefined }
    : raise({ ...state, sinceMs, isFiring }, atMs);
}

/** The same for a group of which nothing has come for the time that the rule allows. */
export function judgeSilence(
  state: GroupState,
  sinceMs: number,
  atMs: number,
  isQuiet: boolean,
): { state: GroupState; step: Step | undefined } {
  const silent = { ...state, sinceMs: state.sinceMs ?? sinceMs, isFiring: true };
  return isQuiet ? { state: silent, step: undefined } : raise(silent, atMs);
}

/** Nothing is wrong any more. */
export function settle(
  state: GroupState,
  atMs: number,
): { state: GroupState; step: Step | undefined } {
  if (state.alert === "firing") return { state: CALM, step: { kind: "resolve", atMs } };
  return { state: CALM, step: state.alert === "pending" ? { kind: "forget" } : undefined };
}

function raise(state: GroupState, atMs: number): { state: GroupState; step: Step | undefined } {
  const sinceMs = state.sinceMs ?? atMs;
  if (state.isFiring) {
    if (state.alert === "firing") return { state, step: undefined };
    return { state: { ...state, alert: "firing" }, step: { kind: "fire", atMs, sinceMs } };
  }
  if (state.alert !== "none") return { state, step: undefined };
  return { state: { ...state, alert: "pending" }, step: { kind: "begin", atMs: sinceMs } };
}
