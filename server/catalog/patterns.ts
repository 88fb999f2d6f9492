import { RE2JS, RE2JSSyntaxException } from "re2js";
import { InvalidQuery, TooMuch } from "../query/rules.ts";

/** RE2 takes time in proportion to its program and to the text: this bounds the former. */
const MOST_PROGRAM = 2_000;
/** How long one expression may take over all values. */
const MOST_MS = 1_000;
/** Values between two looks at the clock, in which calls are answered. */
const VALUES_AT_ONCE = 500;

/** A regular expression in RE2's syntax; throws InvalidQuery, which says what is wrong with it. */
export function compilePattern(label: string, pattern: string, mostProgram = MOST_PROGRAM): RE2JS {
  try {
    const compiled = RE2JS.compile(pattern);
    if (compiled.programSize() <= mostProgram) return compiled;
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    throw new InvalidQuery(
      `the value for the label ${JSON.stringify(label)} is no regular expression: ${error.getDescription()}: ${error.getPattern()}`,
    );
  }
  throw new InvalidQuery(
    `the regular expression for the label ${JSON.stringify(label)} is too large; write fewer repetitions`,
  );
}

/** Those of the values that a pattern matches as a whole; never keeps the server from answering others. */
export async function matching(pattern: RE2JS, values: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  let spentMs = 0;
  for (let from = 0; from < values.length; from += VALUES_AT_ONCE) {
    const begun = performance.now();
    for (const value of values.slice(from, from + VALUES_AT_ONCE)) {
      if (pattern.testExact(value)) found.push(value);
      if (spentMs + performance.now() - begun > MOST_MS) {
        throw new TooMuch(
          "a regular expression takes too long over the label's values; simplify it",
        );
      }
    }
    spentMs += performance.now() - begun;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return found;
}
