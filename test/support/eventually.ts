import { setTimeout as wait } from "node:timers/promises";

const ASK_EVERY_MS = 100;

/**
 * Asks until the answer is something else than undefined, null or false, and gives it. Takes as
 * long as it takes: the limit is there so that a failure has words, not to decide anything.
 */
export async function eventually<Answer>(
  what: string,
  ask: () => Answer | Promise<Answer>,
  withinMs = 60_000,
): Promise<Exclude<Answer, undefined | null | false>> {
  const until = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== null && answer !== false) {
      return answer as Exclude<Answer, undefined | null | false>;
    }
    if (performance.now() > until) throw new Error(`never came true: ${what}`);
    await wait(ASK_EVERY_MS);
  }
}
