/** Regenerates gen/ from proto/; `--check` fails when what is committed is not what comes out. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { printValidate } from "./print-validate.ts";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const buf = path.join(root, "node_modules/.bin/buf");

function listFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort();
}

/** gen/index is what other projects import: everything that people and senders of points use. */
function writeIndex(out: string): void {
  const lines = listFiles(out)
    .filter((file) => /^lumetry\/(v1|source|ingest|access)\/.*_pb\.js$/.test(file))
    .map((file) => `export * from "./${file}";`);
  writeFileSync(path.join(out, "index.js"), `${lines.join("\n")}\n`);
  writeFileSync(path.join(out, "index.d.ts"), `${lines.join("\n")}\n`);
}

function generate(out: string): void {
  printValidate(root);
  const base = path.dirname(out);
  execFileSync(buf, ["generate", "--output", base], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: `${path.join(root, "node_modules/.bin")}:${process.env.PATH}` },
  });
  writeIndex(out);
}

function check(): void {
  const temporary = mkdtempSync(path.join(tmpdir(), "lumetry-gen-"));
  try {
    const fresh = path.join(temporary, "gen");
    const committed = path.join(root, "gen");
    generate(fresh);
    const names = new Set([...listFiles(fresh), ...listFiles(committed)]);
    const read = (directory: string, name: string) => {
      try {
        return readFileSync(path.join(directory, name), "utf8");
      } catch {
        return undefined;
      }
    };
    const stale = [...names].filter((name) => read(fresh, name) !== read(committed, name));
    if (stale.length > 0) {
      console.error(
        `gen/ is not what proto/ says (run \`npm run generate\`):\n  ${stale.join("\n  ")}`,
      );
      process.exitCode = 1;
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

if (process.argv.includes("--check")) check();
else generate(path.join(root, "gen"));
