import test from "ava";
import { ageText, spanText } from "../../lib/age.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("an age reads as a person would say it", (t) => {
  t.is(ageText(0), "just now");
  t.is(ageText(999), "just now");
  t.is(ageText(1_000), "1 second ago");
  t.is(ageText(42_900), "42 seconds ago");
  t.is(ageText(MINUTE), "1 minute ago");
  t.is(ageText(12 * MINUTE + 59_000), "12 minutes ago");
  t.is(ageText(HOUR), "1 hour ago");
  t.is(ageText(47 * HOUR), "47 hours ago");
  t.is(ageText(48 * HOUR), "2 days ago");
});

test("what is still to come reads as a deadline", (t) => {
  t.is(ageText(-59 * MINUTE), "in 59 minutes");
  t.is(ageText(-1_500), "in 1 second");
});

test("a span has no direction", (t) => {
  t.is(spanText(-3 * HOUR), "3 hours");
  t.is(spanText(0), "0 seconds");
});
