import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { version } from "../../../lib/version.ts";
import { LUMETRY } from "../../support/cli.ts";

const run = promisify(execFile);
const root = path.dirname(path.dirname(LUMETRY));

/** Makes a Node of today take itself for an old one; what it starts knows better. */
const OLD_NODE = [
  "--import",
  `data:text/javascript,${encodeURIComponent(
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.11.0" } });',
  )}`,
];

async function makeFolder() {
  const folder = await mkdtemp(path.join(os.tmpdir(), "lumetry-launcher-"));
  return {
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

test("an old Node hands over to the one that npm installed", async (t) => {
  const { stdout } = await run(process.execPath, [...OLD_NODE, LUMETRY, "--version"]);
  t.is(stdout, `lumetry ${version}\n`);
  const mistyped = run(process.execPath, [...OLD_NODE, LUMETRY, "nonsense"]);
  t.like(await t.throwsAsync(mistyped), { code: 2 });
});

test("an old Node passes signals on, and ends as the program ends", async (t) => {
  await using at = await makeFolder();
  const child = spawn(
    process.execPath,
    [...OLD_NODE, LUMETRY, "login", "--server", "http://lumetry.example"],
    {
      env: { PATH: process.env.PATH, HOME: at.folder },
      stdio: ["pipe", "ignore", "pipe"],
    },
  );
  // The program has warned that the way is not encrypted, and waits for an e-mail address.
  await once(child.stderr, "data");
  child.kill("SIGTERM");
  const [code, signal] = await once(child, "close"); // by then nothing of it is left
  t.deepEqual([code, signal], [null, "SIGTERM"]);
});

test("an old Node without another says what to do", async (t) => {
  await using at = await makeFolder();
  for (const each of ["bin", "package.json"]) {
    await cp(path.join(root, each), path.join(at.folder, each), { recursive: true });
  }
  const failed = run(process.execPath, [...OLD_NODE, path.join(at.folder, "bin/lumetry.js")]);
  const error = await t.throwsAsync(failed);
  t.like(error, { code: 1 });
  t.regex(String(Object(error).stderr), /this is Node 20\.11\.0, and Lumetry needs Node 24/);
  t.regex(String(Object(error).stderr), /npm install.*nodejs\.org/);
});

test("it runs when it was installed as a dependency, beside packages of its own", async (t) => {
  await using at = await makeFolder();
  const modules = path.join(at.folder, "node_modules");
  const own = path.join(modules, "lumetry");
  await mkdir(own, { recursive: true });
  for (const each of [
    "bin",
    "gen",
    "lib",
    "server",
    "edge",
    "collector",
    "console",
    "package.json",
  ]) {
    await cp(path.join(root, each), path.join(own, each), { recursive: true });
  }
  for (const each of await readdir(path.join(root, "node_modules"))) {
    if (each === "lumetry" || each === ".bin") continue;
    await symlink(path.join(root, "node_modules", each), path.join(modules, each));
  }
  const launcher = path.join(own, "bin/lumetry.js");
  for (const [args, answer] of [
    [["--version"], /^lumetry \d/],
    [["server", "--help"], /Usage: lumetry server/],
    [["collector", "--help"], /Usage: lumetry collector/],
  ] as const) {
    const { stdout, stderr } = await run(process.execPath, [launcher, ...args]);
    t.regex(stdout, answer);
    t.is(stderr, "");
  }
  // Threads begin anew with what the launcher has told Node.
  const script = `
    await import("./bin/typescript.js");
    const { makePackingThread } = await import("./server/chunks/packing-thread.ts");
    await using thread = makePackingThread();
    const given = { bodies: [], oldestMs: 0 };
    const { blocks } = await thread.run("chunkSegments", given, new AbortController().signal);
    console.log(blocks.length + " blocks");`;
  const threaded = await run(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: own,
  });
  t.is(threaded.stdout, "0 blocks\n");
  const old = await run(process.execPath, [...OLD_NODE, launcher, "--version"]);
  t.regex(old.stdout, /^lumetry \d/);
});
