/** Everything that must hold before a change lands, cheapest first, one line for each. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bin = path.join(root, "node_modules/.bin");
const node = process.execPath;

const steps: [name: string, command: string, ...args: string[]][] = [
  // First, because it prints the file that the checks of the contract need.
  ["gen/ is what proto/ says", node, "proto/generate.ts", "--check"],
  ["format and lint", path.join(bin, "biome"), "ci", "--error-on-warnings", "."],
  ["types", path.join(bin, "tsc"), "-p", "."],
  ["contract: lint", path.join(bin, "buf"), "lint"],
  ["contract: format", path.join(bin, "buf"), "format", "--diff", "--exit-code", "proto"],
  [
    "contract: no breaking change",
    path.join(bin, "buf"),
    "breaking",
    "--against",
    "proto/baseline.binpb",
  ],
  ["tests", node, "test/run.ts"],
];

for (const [name, command, ...args] of steps) {
  const begun = performance.now();
  if (name === "tests") console.log("… tests");
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    stdio: name === "tests" ? "inherit" : "pipe",
    encoding: "utf8",
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (status !== 0) {
    console.error(
      `✘ ${name} (${seconds} s)\n${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`,
    );
    process.exit(1);
  }
  if (name !== "tests") console.log(`✔ ${name} (${seconds} s)`);
}
