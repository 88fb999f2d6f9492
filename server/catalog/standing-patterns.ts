import type { RE2JS } from "re2js";
import { makeRecentMap } from "../../lib/recent-map.ts";
import { InvalidQuery } from "../query/rules.ts";
import { compilePattern } from "./patterns.ts";

/**
 * Bounds of a regular expression that stands in a rule, a route or a silence and is tried on whatever comes. RE2
 * takes time in proportion to the program and to the value: one trial costs no more than `program` × `value`.
 */
export const STANDING = {
  /** Characters of the expression. */
  pattern: 512,
  /** Instructions that it is compiled to. */
  program: 1_000,
  /** Characters of a value; a longer one matches nothing. */
  value: 512,
};
/** Outcomes that are kept, of all expressions together. */
const OUTCOME_BYTES = 32 << 20;
/** Instructions of all expressions that are kept compiled. */
const MOST_INSTRUCTIONS = 200_000;

/** Whether a value matches as a whole. */
export type Matches = (value: string) => boolean;

/**
 * Compiles expressions, each once, and tries each on a value once: rules and routes are read again and again, and
 * meet the same few values. Throws InvalidQuery, which says what is wrong with an expression.
 */
export function makeStandingPatterns(
  options: { onTrial?: (pattern: string, value: string) => void } = {},
): (label: string, pattern: string) => Matches {
  const compiled = new Map<string, RE2JS>();
  const outcomes = makeRecentMap<boolean>(OUTCOME_BYTES);
  let instructions = 0;

  const compile = (label: string, pattern: string): RE2JS => {
    const there = compiled.get(pattern);
    if (there) return there;
    if (pattern.length > STANDING.pattern) {
      throw new InvalidQuery(
        `the regular expression for the label ${JSON.stringify(label)} has ${pattern.length} characters; one that is tried on all that comes has at most ${STANDING.pattern}: name values with IN instead`,
      );
    }
    const made = compilePattern(label, pattern, STANDING.program);
    const size = made.programSize();
    if (instructions + size > MOST_INSTRUCTIONS) {
      compiled.clear();
      instructions = 0;
    }
    compiled.set(pattern, made);
    instructions += size;
    return made;
  };

  return (label, pattern) => {
    const expression = compile(label, pattern);
    return (value) => {
      if (value.length > STANDING.value) return false;
      // No expression holds this character.
      const key = `${pattern}\0${value}`;
      const known = outcomes.get(key);
      if (known !== undefined) return known;
      options.onTrial?.(pattern, value);
      const outcome = expression.testExact(value);
      outcomes.set(key, outcome);
      return outcome;
    };
  };
}

/** Those of this process. */
export const standingPattern = makeStandingPatterns();
