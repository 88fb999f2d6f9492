import type { ReadBudget } from "../db/portions.ts";
import { TooMuch } from "./rules.ts";

/** Most bytes that what is stored for one span may have. */
const MOST_IN_A_SPAN = 1 << 30;
/** Most that one query reads, parts that it reads twice included. */
const MOST_IN_ALL = 4 * MOST_IN_A_SPAN;

export type Budget = ReadBudget;

/** What one query may read. `advice` says what to ask instead. */
export function makeBudget(
  advice: string,
  { span, all } = { span: MOST_IN_A_SPAN, all: MOST_IN_ALL },
): Budget {
  let spent = 0;
  const check = (bytes: number, most: number) => {
    if (bytes > most) throw new TooMuch(`too much was measured in that span; ${advice}`);
  };
  return {
    expect: (bytes) => check(bytes, span),
    spend(bytes) {
      spent += bytes;
      check(spent, all);
    },
  };
}
