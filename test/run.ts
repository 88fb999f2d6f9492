/**
 * Runs all tests, or those named on the command line, on one PostgreSQL that is started for them.
 * Ends with a line "N passed, N failed" from what was counted.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startTestPostgres, VARIABLE } from "./support/database.ts";
import { COMPILED } from "./support/program.ts";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bin = path.join(root, "node_modules/.bin");
const begun = performance.now();

async function runAva(files: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const concurrency = String(Math.max(2, availableParallelism()));
  const ava = spawn(
    process.execPath,
    [
      ...["--import", path.join(root, "test/support/lenient-tap.ts")],
      path.join(root, "node_modules/ava/entrypoints/cli.js"),
      ...["--tap", "-c", concurrency, ...files],
    ],
    { cwd: root, env: environment, stdio: ["inherit", "pipe", "inherit"] },
  );
  let passed = 0;
  const failures: string[] = [];
  let isFailure = false;
  for await (const line of createInterface({ input: ava.stdout })) {
    const result = /^(not )?ok \d+ - (.*)$/.exec(line);
    if (result) {
      const isSkipped = /# (SKIP|TODO)/.test(line);
      isFailure = result[1] !== undefined && !isSkipped;
      if (isFailure) failures.push(line);
      else if (!isSkipped) passed += 1;
      console.log(`${isFailure ? "✘" : isSkipped ? "-" : "✔"} ${result[2]}`);
    } else if (isFailure && /^ {2}/.test(line)) {
      console.log(line);
      failures.push(line);
    } else if (!/^(TAP version|1\.\.|# |---|$)/.test(line)) console.log(line);
  }
  const code = await new Promise<number | null>((resolve) => {
    if (ava.exitCode !== null) resolve(ava.exitCode);
    else ava.once("close", resolve);
  });
  const failed = failures.filter((line) => line.startsWith("not ok")).length;
  // Again at the end, where whoever sees only the end of a long run finds them.
  if (failed > 0) console.log(`\nWhat failed:\n${failures.join("\n")}`);
  const isBroken = code !== 0 && failed === 0;
  if (isBroken) console.log(`✘ the test runner itself ended with ${code}`);
  const total = passed + failed;
  console.log(`\n${total} tests in ${Math.round((performance.now() - begun) / 1000)} s`);
  console.log(`${passed} passed, ${failed + (isBroken ? 1 : 0)} failed`);
  return code === 0 && failed === 0 && passed > 0 ? 0 : 1;
}

const directory = await mkdtemp(path.join(tmpdir(), "lumetry-tests-"));
try {
  await using database = await startTestPostgres(directory);
  process.exitCode = await runAva(process.argv.slice(2), {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    // Each file is a process of its own, and most of them load the whole server.
    NODE_COMPILE_CACHE: COMPILED,
    [VARIABLE]: JSON.stringify(database.connection),
  });
} finally {
  await rm(directory, { recursive: true, force: true });
}
