import { execFileSync } from "node:child_process";
import test from "ava";
import { assertBooks, drain, open, range, temporaryDirectory } from "./fixtures.ts";

test("a write that the disk refuses is refused to the caller, and nothing else is lost or stuck", async (t) => {
  const directory = await temporaryDirectory(t);
  const script = new URL("full-disk-child.ts", import.meta.url).pathname;
  // No file may exceed 24 KiB: LevelDB's logs and tables break off in the middle, as on a full disk.
  const shell = 'ulimit -f 24 && exec "$@"';
  const output = execFileSync("bash", ["-c", shell, "bash", process.execPath, script, directory], {
    encoding: "utf8",
  });
  const said = (word: string) =>
    output
      .split("\n")
      .filter((line) => line.startsWith(`${word} `))
      .flatMap((line) =>
        line
          .slice(word.length + 1)
          .split(",")
          .map(Number),
      );
  const [durable, refused, sent] = [said("durable"), said("refused"), new Set(said("sent"))];
  t.log(
    `${durable.length} durable, ${refused.length} refused, ${said("failed").length} calls failed`,
  );
  t.true(refused.length > 0 && said("failed").length > 0 && sent.size > 0);
  t.true(durable.includes(400) || durable.includes(396), "appends work again");

  await using queue = await open(directory);
  assertBooks(t, queue);
  const rest = await drain(t, queue);
  const all = [...new Set([...sent, ...rest])].sort((a, b) => a - b);
  t.deepEqual(all, durable, "what was accepted came out, what was refused did not");
  t.deepEqual(
    [...durable, ...refused].sort((a, b) => a - b),
    range(1, 400),
  );
  t.is(queue.health().damagedPoints, 0);
  assertBooks(t, queue);
});
