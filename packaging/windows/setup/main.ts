/** `setup.mjs install | finish | uninstall`: what setup.ps1, a scheduled task and uninstall.ps1 run. */
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { EXIT, SetupError } from "./ending.ts";
import { install, type Setup } from "./install.ts";
import { findPlaces } from "./places.ts";
import { readRequest } from "./request.ts";
import { run } from "./run.ts";
import { Service } from "./service.ts";
import { finish } from "./token.ts";
import { uninstall } from "./uninstall.ts";

async function main(command: string | undefined): Promise<void> {
  const setup: Setup = {
    run,
    places: findPlaces(),
    packageFolder: fileURLToPath(new URL("../../..", import.meta.url)).replace(/\\$/, ""),
    say: (line) => process.stdout.write(`${line}\n`),
  };
  if (command === "install") await install(setup, readRequest(await text(process.stdin)));
  else if (command === "uninstall") await uninstall(setup);
  else if (command === "finish") {
    await finish(run, setup.places, new Service(run, setup.packageFolder));
  } else throw new SetupError(EXIT.usage, "setup.mjs takes install, finish or uninstall");
}

try {
  await main(process.argv[2]);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = error instanceof SetupError ? error.code : EXIT.failed;
}
