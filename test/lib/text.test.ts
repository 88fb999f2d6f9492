import test from "ava";
import { cutText, jsonbOf } from "../../lib/text.ts";

test("a text is never cut within a character", (t) => {
  t.is(cutText("ab🔥", 4), "ab🔥");
  t.is(cutText("ab🔥", 3), "ab");
  t.is(cutText("ab🔥c", 4), "ab🔥");
});

test("whatever is written as jsonb can be read by PostgreSQL", (t) => {
  const rows = [
    { summary: "🔥".slice(0, 1), labels: { host: "a\0b" }, value: -Infinity, at: null },
  ];
  t.deepEqual(JSON.parse(jsonbOf(rows)), [
    { summary: "\uFFFD", labels: { host: "a\uFFFDb" }, value: "-Infinity", at: null },
  ]);
  t.is(jsonbOf({ text: "🔥" }), '{"text":"🔥"}');
});
