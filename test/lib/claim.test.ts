import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import test from "ava";
import { claimDirectory, DirectoryClaimed } from "../../lib/claim.ts";
import { processIdentity } from "../../lib/process.ts";

test.beforeEach(async (t) => {
  t.context = await mkdtemp(path.join(os.tmpdir(), "lumetry-claim-"));
});
test.afterEach.always((t) => rm(t.context as string, { recursive: true }));

test("a directory has one owner at a time", async (t) => {
  const directory = t.context as string;
  const claim = claimDirectory(directory);
  const error = t.throws(() => claimDirectory(directory), { instanceOf: DirectoryClaimed });
  t.is(error.pid, process.pid);
  t.true(error.since.getTime() <= Date.now());
  claim[Symbol.dispose]();
  claim[Symbol.dispose]();
  claimDirectory(directory)[Symbol.dispose]();
  t.deepEqual(await readdir(directory), []);
});

test("a claim of a dead process, of a reused id or torn by a power cut counts for nothing", async (t) => {
  const directory = t.context as string;
  const since = new Date().toISOString();
  const dead = spawn("true");
  await once(dead, "exit");
  for (const left of [
    JSON.stringify({ pid: dead.pid, identity: "earlier", since }),
    JSON.stringify({ pid: process.pid, identity: "of another process", since }),
    "",
  ]) {
    await writeFile(path.join(directory, "owner.7"), left);
    using _claim = claimDirectory(directory);
    t.deepEqual(await readdir(directory), ["owner.8"]);
  }
});

test("of many processes that claim a dead owner's directory at once, one wins each time", async (t) => {
  const directory = t.context as string;
  const claimant = new URL("../support/claimant.ts", import.meta.url);
  const children = Array.from({ length: 4 }, () => fork(claimant, [directory]));
  try {
    await Promise.all(children.map((child) => once(child, "message")));
    for (let round = 0; round < 25; round += 1) {
      const stale = JSON.stringify({ pid: 2 ** 30, identity: "earlier", since: "2020-01-01" });
      await writeFile(path.join(directory, `owner.${round * 100 + 1}`), stale);
      const answers = children.map((child) => once(child, "message"));
      for (const child of children) child.send("claim");
      const won = (await Promise.all(answers)).flat().filter((answer) => answer === "won");
      t.is(won.length, 1);
      const released = children.map((child) => once(child, "message"));
      for (const child of children) child.send("release");
      await Promise.all(released);
    }
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
});

test("a process is told from the next one with its id, and a dead one has no identity", async (t) => {
  t.is(processIdentity(process.pid), processIdentity(process.pid));
  const child = spawn("sleep", ["30"]);
  await once(child, "spawn");
  const pid = child.pid ?? 0;
  t.truthy(processIdentity(pid));
  t.not(processIdentity(pid), processIdentity(process.pid));
  child.kill("SIGKILL");
  await once(child, "exit");
  t.is(processIdentity(pid), undefined);
});
