/** Every sentence of the product documents is proved by a test that is there, or named as later work. */
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "ava";
import { collectors, hostAgents } from "./coverage.ts";
import { root } from "./markdown.ts";

/** The titles of the tests in a file, and of scenarios of installers, with "…" for each hole in a template. */
const titlesIn = (file: string): string[] =>
  [
    ...readFileSync(path.join(root, "test", file), "utf8").matchAll(
      /(?:\btest(?:\.serial)?\(|^ +name:)\s*(["`])((?:\\.|(?!\1).)*)\1/gms,
    ),
  ].map(([, , title = ""]) => title.replaceAll(/\$\{[^}]*\}/g, "…"));

const documents = { collectors, "host agents": hostAgents };

const everySentence = Object.entries(documents).flatMap(([document, parts]) =>
  Object.entries(parts).map(([part, sentences]) => ({ part: `${document}, ${part}`, sentences })),
);

for (const { part, sentences } of everySentence) {
  for (const { says, provedBy = {}, later } of sentences) {
    const proofs = Object.entries(provedBy);
    if (proofs.length === 0) continue;
    test(`${part}: "${says}" is proved${later ? `, but for what comes with ${later}` : ""}`, (t) => {
      for (const [file, titles] of proofs) {
        for (const title of titles) {
          const count = titlesIn(file).filter((each) => each === title).length;
          t.is(count, 1, `test/${file} has no test, or several: ${title}`);
        }
      }
    });
  }
}

for (const [document, parts, count] of [
  ["collectors", collectors, 0],
  ["host agents", hostAgents, 0],
] as const) {
  test(`${document}: what no test proves waits for later work, by name`, (t) => {
    const waiting = Object.values(parts)
      .flat()
      .filter(({ provedBy }) => provedBy === undefined);
    t.true(waiting.every(({ later }) => later !== undefined));
    t.is(waiting.length, count);
  });
}

test("collectors: every test made for a sentence is named by one", (t) => {
  const named = Object.values(collectors)
    .flat()
    .flatMap(({ provedBy }) => provedBy?.["documents/collectors.test.ts"] ?? []);
  t.deepEqual(
    titlesIn("documents/collectors.test.ts").filter((title) => !named.includes(title)),
    [],
  );
});
