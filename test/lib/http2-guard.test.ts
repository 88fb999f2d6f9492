import { execFile } from "node:child_process";
import path from "node:path";
import test from "ava";

const CLIENT = path.join(import.meta.dirname, "../support/hasty-client.ts");

/** Ends as the process does; the output is all that it said. */
const run = (...given: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const child = execFile(process.execPath, [CLIENT, ...given], (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
    });
  });

test("a client survives a server that speaks no HTTP/2, and its calls fail", async (t) => {
  const { code, output } = await run("guarded");
  t.is(output, "survived 50 failures\n");
  t.is(code, 0);
});

test("without the guard it would not, which is what the guard is for", async (t) => {
  const { code, output } = await run();
  t.not(code, 0);
  t.regex(output, /Unhandled 'error' event|ERR_HTTP2|Protocol error/i);
});
