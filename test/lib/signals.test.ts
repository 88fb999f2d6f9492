import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "ava";

/** Says when it was asked to stop and when a second has passed since; stops after another minute. */
const PROGRAM = `
  import { aborted, stopSignal } from ${JSON.stringify(new URL("../../lib/signals.ts", import.meta.url).href)};
  const signal = stopSignal();
  console.log("running");
  const alive = setInterval(() => {}, 1000);
  await aborted(signal);
  console.log("stopping");
  process.stdin.once("data", () => { clearInterval(alive); process.exit(0); });
  setTimeout(() => console.log("still stopping"), 1100);
`;

function start() {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const until = async (words: string) => {
    while (!said.includes(`${words}\n`)) await once(child.stdout, "data");
  };
  return { child, until, ended: once(child, "exit") };
}

test("one Ctrl-C that arrives twice asks for an orderly stop", async (t) => {
  const { child, until, ended } = start();
  await until("running");
  child.kill("SIGINT");
  await until("stopping");
  child.kill("SIGINT");
  child.kill("SIGTERM");
  await until("still stopping");
  child.stdin.write("enough\n");
  t.deepEqual(await ended, [0, null]);
});

test("a second Ctrl-C from somebody impatient ends it at once", async (t) => {
  const { child, until, ended } = start();
  await until("running");
  child.kill("SIGINT");
  await until("still stopping");
  child.kill("SIGINT");
  t.deepEqual(await ended, [130, null]);
});
