import { exitWhenDone } from "../lib/exit.ts";
import { makeLog } from "../lib/log.ts";
import { readProcessSettings } from "../lib/process-settings.ts";
import { aborted, stopSignal } from "../lib/signals.ts";
import { version } from "../lib/version.ts";
import { startServer } from "./server.ts";
import { serverSettings } from "./settings.ts";

exitWhenDone();
if (process.argv[2] === "reset-owner") {
  const { main } = await import("./people/reset-owner-main.ts");
  process.exitCode = await main(process.argv.slice(3));
} else {
  await serve();
}

async function serve(): Promise<void> {
  const settings = readProcessSettings("lumetry server", serverSettings);
  const stop = stopSignal();
  const log = makeLog(settings.logLevel, { process: "server" });

  try {
    await using server = await startServer(settings, { log });
    const { url, caFile, setupSecret } = server;
    log.info({ url, version, pid: process.pid }, "the server is ready");
    if (settings.readyFormat === "json") {
      process.stdout.write(
        `${JSON.stringify({ ready: true, url, caFile, setupSecret, pid: process.pid })}\n`,
      );
    } else {
      process.stdout.write(`Lumetry ${version} is ready at ${url}\n`);
      if (caFile) process.stdout.write(`Its certificate was made here; clients trust ${caFile}\n`);
      if (setupSecret) {
        process.stdout.write(
          `Create the first person in a browser, at ${url}/#${setupSecret}\nor with:\n  lumetry login --server ${url}${caFile ? ` --ca ${caFile}` : ""} --setup ${setupSecret}\n`,
        );
      }
    }
    await aborted(stop);
    log.info({ signal: stop.reason }, "the server is stopping");
  } catch (error) {
    log.error({ err: error }, "the server cannot go on");
    process.stderr.write(`lumetry server: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
