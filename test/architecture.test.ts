import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Which folder may import from which others; everything else is forbidden. */
const ARROWS: Record<string, string[]> = {
  lib: ["gen"],
  server: ["lib", "gen"],
  edge: ["lib", "gen"],
  collector: ["edge", "lib", "gen"],
  agent: ["edge", "lib", "gen"],
  "console/cli": ["lib", "gen"],
  "console/web": ["gen"],
  packaging: ["server", "console", "lib"],
  proto: [],
};

interface Import {
  from: string;
  to: string;
}

function listImports(folder: string): Import[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .flatMap((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      const text = readFileSync(file, "utf8");
      return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, to = ""]) => ({
        from: path.relative(root, file),
        to: path.relative(root, path.resolve(path.dirname(file), to)),
      }));
    });
}

const topOf = (file: string) => file.split(path.sep)[0] ?? "";

for (const [folder, allowed] of Object.entries(ARROWS)) {
  test(`${folder}/ imports only ${[...allowed, "itself"].join(", ")}`, (t) => {
    const wrong = listImports(folder).filter(
      ({ to }) => !to.startsWith(`${folder}/`) && !allowed.includes(topOf(to)),
    );
    t.deepEqual(wrong, []);
  });
}

test("a slice of the server calls another's store or rules, never its service", (t) => {
  const wrong = listImports("server").filter(({ from, to }) => {
    const [, fromSlice] = from.split(path.sep);
    const [, toSlice] = to.split(path.sep);
    return /service\.ts$/.test(to) && fromSlice !== toSlice && fromSlice !== "routes.ts";
  });
  t.deepEqual(wrong, []);
});

test("nothing is called utils, helpers or types", (t) => {
  const folders = [...Object.keys(ARROWS), "test"];
  const files = folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true }).map(String),
  );
  t.deepEqual(
    files.filter((file) => /(^|\/)(utils?|helpers?|types)(\.tsx?|\/|$)/.test(file)),
    [],
  );
});
