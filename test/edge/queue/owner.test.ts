import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { QueueInUse } from "../../../edge/queue/queue.ts";
import { appendAll, drain, limits, open, range, temporaryDirectory } from "./fixtures.ts";

const child = new URL("child.ts", import.meta.url).pathname;

test("a second process is refused, told who has the queue, and changes nothing", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  await appendAll(queue, range(1, 10));
  const before = await readdir(directory, { recursive: true });
  const error = t.throws(() =>
    execFileSync(process.execPath, [child, directory], { encoding: "utf8", stdio: "pipe" }),
  );
  t.regex(
    error?.message ?? "",
    new RegExp(`is in use by process ${process.pid} since .*; stop it or choose another directory`),
  );
  t.deepEqual(await readdir(directory, { recursive: true }), before);
  t.deepEqual(await drain(t, queue), range(1, 10));
});

test("a second open in one process is refused and does not give the queue away", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  for (const same of [directory, path.join(directory, "..", path.basename(directory))]) {
    await t.throwsAsync(open(same), { instanceOf: QueueInUse });
  }
  // Had that released the lock, another process could come in now.
  t.throws(() => execFileSync(process.execPath, [child, directory], { stdio: "pipe" }));
  await appendAll(queue, range(1, 3));
  t.deepEqual(await drain(t, queue), range(1, 3));
});

test("the lock holds even where the owner's name cannot be seen", async (t) => {
  const directory = await temporaryDirectory(t);
  await using queue = await open(directory);
  for (const name of await readdir(directory)) {
    if (name.startsWith("owner.")) await rm(path.join(directory, name));
  }
  const error = t.throws(() =>
    execFileSync(process.execPath, [child, directory], { encoding: "utf8", stdio: "pipe" }),
  );
  t.regex(error?.message ?? "", /in use by a process of another container/);
  await appendAll(queue, range(1, 3));
  t.deepEqual(await drain(t, queue), range(1, 3));
});

test("a killed owner leaves nothing that keeps the next one out", async (t) => {
  const directory = await temporaryDirectory(t);
  for (let round = 1; round <= 2; round++) {
    const owner = fork(child, [directory, `${round}`, `${round * 1000}`, "0"], { silent: true });
    if (owner.stdout) await once(owner.stdout, "data");
    owner.kill("SIGKILL");
    await once(owner, "exit");
  }
  await using queue = await open(directory);
  await queue.next(limits);
  t.is((await readdir(directory)).filter((name) => name.startsWith("owner.")).length, 1);
});

test("a closed queue can be opened again at once, by this process or another", async (t) => {
  const directory = await temporaryDirectory(t);
  for (let round = 0; round < 3; round++) {
    const queue = await open(directory);
    await queue[Symbol.asyncDispose]();
  }
  t.deepEqual(
    (await readdir(directory)).filter((name) => name.startsWith("owner.")),
    [],
  );
});
