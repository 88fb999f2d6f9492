import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { appendAll, drain, limits, open, range, temporaryDirectory } from "./fixtures.ts";

/** The identity of each segment's diary, which LevelDB begins anew whenever it opens a directory. */
async function diaries(directory: string): Promise<Map<string, number>> {
  const all = new Map<string, number>();
  for (const name of await readdir(path.join(directory, "segments"))) {
    const { ino, mtimeMs } = await stat(path.join(directory, "segments", name, "LOG"));
    all.set(name, ino + mtimeMs);
  }
  return all;
}

test("a start opens one segment, however many there are and were", async (t) => {
  const directory = await temporaryDirectory(t);
  const opened: number[] = [];
  let next = 1;
  for (let month = 0; month < 3; month++) {
    {
      await using queue = await open(directory);
      for (let at = 0; at < 20; at++) {
        await appendAll(queue, range(next, next + 24));
        next += 25;
      }
      for (let count = 0; count < 3 && month < 2; count++) {
        const batch = await queue.next(limits);
        if (batch) await queue.acknowledge(batch);
      }
    }
    const before = await diaries(directory);
    await using queue = await open(directory);
    const after = await diaries(directory);
    opened.push([...after].filter(([name, diary]) => before.get(name) !== diary).length);
    t.true(after.size > 5 * (month + 1), `${after.size} segments`);
    t.true(queue.health().queuedPoints > 0);
  }
  t.deepEqual(opened, [1, 1, 1]);
  await using queue = await open(directory);
  const rest = await drain(t, queue);
  t.is(rest.at(-1), next - 1);
});
