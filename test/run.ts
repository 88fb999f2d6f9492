/**
 * Runs all tests, or those named on the command line, on one PostgreSQL that is started for them.
 * Ends with a line "N passed, N failed" from what was counted.
 *
 * Of a whole run, files in which something failed are run once more, alone: a shared machine that
 * stands still for seconds is no fault of the product. What passes only then is named at the end, for
 * it is a fault of the test.
 */
import { spawn } from "node:child_process";
import { glob, mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { printValidate } from "../proto/print-validate.ts";
import { startTestPostgres, VARIABLE } from "./support/database.ts";
import { COMPILED } from "./support/program.ts";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bin = path.join(root, "node_modules/.bin");
const begun = performance.now();
/** When more files than these fail, it is not the machine. */
const MOST_AGAIN = 5;

interface Failure {
  /** With the file before it, as AVA writes it: "server › query › oracle › the title". */
  title: string;
  /** What TAP says of it, line by line. */
  lines: string[];
}
interface Outcome {
  passed: number;
  failures: Failure[];
  /** AVA's exit code. */
  code: number | null;
}

async function runAva(files: string[], environment: NodeJS.ProcessEnv): Promise<Outcome> {
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
  const failures: Failure[] = [];
  let failure: Failure | undefined;
  for await (const line of createInterface({ input: ava.stdout })) {
    const result = /^(not )?ok \d+ - (.*)$/.exec(line);
    if (result) {
      const [, not, title = ""] = result;
      const isSkipped = /# (SKIP|TODO)/.test(line);
      failure = not && !isSkipped ? { title, lines: [] } : undefined;
      if (failure) failures.push(failure);
      else if (!isSkipped) passed += 1;
      console.log(`${failure ? "✘" : isSkipped ? "-" : "✔"} ${title}`);
    } else if (failure && /^ {2}/.test(line)) {
      console.log(line);
      failure.lines.push(line);
    } else if (!/^(TAP version|1\.\.|# |---|$)/.test(line)) console.log(line);
  }
  const code = await new Promise<number | null>((resolve) => {
    if (ava.exitCode !== null) resolve(ava.exitCode);
    else ava.once("close", resolve);
  });
  return { passed, failures, code };
}

/** The files of the failures; undefined if there is one of which it cannot be told. */
async function filesOf(failures: readonly Failure[]): Promise<string[] | undefined> {
  const all = new Map<string, string>();
  for await (const file of glob("test/**/*.test.ts", { cwd: root })) {
    const name = path.relative("test", file).replace(/\.test\.ts$/, "");
    all.set(`${name.split(path.sep).join(" › ")} › `, file);
  }
  const found = new Set<string>();
  for (const { title } of failures) {
    // Of a file that ended before its tests did, AVA tells the path.
    const file =
      [...all].find(([start]) => title.startsWith(start))?.[1] ??
      /test\/\S+\.test\.ts/.exec(title)?.[0];
    if (file === undefined) return undefined;
    found.add(file);
  }
  return [...found];
}

/** Runs what failed once more; answers what failed again. */
async function runAgain(first: Outcome, environment: NodeJS.ProcessEnv): Promise<Outcome> {
  const files = await filesOf(first.failures);
  if (!files || files.length > MOST_AGAIN) return first;
  const still: Failure[] = [];
  for (const file of files) {
    console.log(`\n… once more, alone: ${file}`);
    const { failures, code, passed } = await runAva([file], environment);
    still.push(...failures);
    if (passed === 0 || (code !== 0 && failures.length === 0)) return first;
  }
  // Alone, a file's tests are named by their titles only.
  const isStill = ({ title }: Failure) => still.some((again) => title.endsWith(again.title));
  const moved = first.failures.filter((failure) => !isStill(failure));
  console.log("\nPassed only when run again, alone, which is a fault of the test:");
  for (const { title, lines } of moved) console.log([`- ${title}`, ...lines].join("\n"));
  return {
    passed: first.passed + moved.length,
    failures: still,
    code: still.length === 0 ? 0 : first.code,
  };
}

async function run(files: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  let outcome = await runAva(files, environment);
  if (files.length === 0 && outcome.failures.length > 0) {
    outcome = await runAgain(outcome, environment);
  }
  const { passed, failures, code } = outcome;
  if (failures.length > 0) {
    // Again at the end, where whoever sees only the end of a long run finds them.
    console.log("\nWhat failed:");
    for (const { title, lines } of failures) console.log([`✘ ${title}`, ...lines].join("\n"));
  }
  const isBroken = code !== 0 && failures.length === 0;
  if (isBroken) console.log(`✘ the test runner itself ended with ${code}`);
  const failed = failures.length + (isBroken ? 1 : 0);
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(`\n${passed + failures.length} tests in ${seconds} s`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

// The contract imports it, a clone has it not, and some tests let buf read the contract.
printValidate(root);
const directory = await mkdtemp(path.join(tmpdir(), "lumetry-tests-"));
try {
  await using database = await startTestPostgres(directory);
  process.exitCode = await run(process.argv.slice(2), {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    // Each file is a process of its own, and most of them load the whole server.
    NODE_COMPILE_CACHE: COMPILED,
    [VARIABLE]: JSON.stringify(database.connection),
  });
} finally {
  await rm(directory, { recursive: true, force: true });
}
