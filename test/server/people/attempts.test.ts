import { Code } from "@connectrpc/connect";
import test from "ava";
import { makeAttempts } from "../../../server/people/attempts.ts";
import { makeManualClock } from "../../support/manual-clock.ts";
import { outcomes, refused } from "../../support/refusal.ts";

const MINUTE = 60_000;

test("wrong passwords are forgotten fifteen minutes after the first, and the wait says so", async (t) => {
  const clock = makeManualClock();
  const attempts = makeAttempts(clock);
  const wrong = () => attempts.guess("ann@example.com", async () => false);
  for (let minute = 0; minute < 10; minute += 1) {
    t.false(await wrong());
    clock.advance(MINUTE);
  }
  const refusal = await refused(wrong());
  t.is(refusal.code, Code.ResourceExhausted);
  t.is(refusal.retryAfterMs, 5 * MINUTE);
  t.true(await attempts.guess("bob@example.com", async () => true), "others go on");

  clock.advance(5 * MINUTE);
  t.false(await wrong());
});

test("a check that fails by itself counts neither way", async (t) => {
  const attempts = makeAttempts(makeManualClock());
  const away = () =>
    attempts.guess("ann@example.com", () => Promise.reject(new Error("the database is away")));
  for (let round = 0; round < 20; round += 1) await t.throwsAsync(away(), { message: /away/ });
  t.true(await attempts.guess("ann@example.com", async () => true));
});

test("checks under way count as wrong until they are known to be right", async (t) => {
  const attempts = makeAttempts(makeManualClock());
  const { promise: until, resolve: finish } = Promise.withResolvers<void>();
  const right = () => attempts.guess("ann@example.com", () => until.then(() => true));
  const calls = Array.from({ length: 12 }, right);
  const refusal = await refused(calls[10] ?? right());
  t.is(refusal.retryAfterMs, 1000);
  finish();
  t.is((await outcomes(calls)).answered, 10);
  t.true(await right());
});
