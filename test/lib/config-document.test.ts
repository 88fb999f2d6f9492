import test from "ava";
import { readConfigDocument } from "../../lib/config-document.ts";

for (const [document, key] of [
  ['{"hostMetrics": {}, "hostMetrics": {}}', "hostMetrics"],
  [
    '{"hostMetrics": {"intervalSeconds": 10, "intervalSeconds": 20}}',
    "hostMetrics.intervalSeconds",
  ],
  ['{"hostMetrics": {"enabled": true, "\\u0065nabled": false}}', "hostMetrics.enabled"],
  ['{"later": [{"a": 1}, {"a": 1, "a": 2}]}', "later.a"],
] as const) {
  test(`a document that says ${key} twice is refused, whichever was meant: ${document}`, (t) => {
    t.deepEqual(readConfigDocument(document), { valid: false, problem: `${key} is there twice` });
  });
}

test("the same key in different places, and braces and colons inside of texts, are no repetition", (t) => {
  const document =
    '{"hostMetrics": {"enabled": true}, "other": {"enabled": "{\\"enabled\\":", "list": [{"a": 1}, {"a": 2}, "a"]}}';
  const reading = readConfigDocument(document);
  t.true(reading.valid);
  t.deepEqual(reading.valid && reading.unknownKeys, ["other"]);
});
