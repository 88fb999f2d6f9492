import { type Command, Option } from "commander";
import { type Cli, example } from "../cli.ts";
import { readCount } from "../words.ts";

interface UpOptions {
  port?: number;
  directory: string;
}

/**
 * The programs. All but `lumetry up` never get here: bin/lumetry.js starts them itself; they stand here for --help and completion.
 */
export function addProcesses(program: Command, cli: Cli): void {
  example(
    program
      .command("up")
      .description("Start a server and a collector on this machine, ready to look at.")
      .option("--directory <directory>", "the folder to keep everything in, below .lumetry", ".")
      .addOption(
        new Option(
          "--port <number>",
          "for the server (default: 8443, or the next free one)",
        ).argParser(readCount(1)),
      )
      .action(async (options: UpOptions) => {
        const { up } = await import("../up.ts");
        await up(cli, options);
      }),
    "lumetry up",
  );
  const elsewhere = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .helpOption(false)
      .allowUnknownOption()
      .allowExcessArguments();
  example(
    elsewhere("server", 'Run a server; see "lumetry server --help".'),
    "lumetry server --data-dir /var/lib/lumetry",
    "lumetry server reset-owner --data-dir /var/lib/lumetry",
  );
  example(
    elsewhere("collector", 'Run a collector on a host; see "lumetry collector --help".'),
    "lumetry collector --server https://lumetry.example.com:8443 --enrollment-token-file token",
  );
  example(
    elsewhere("agent", 'Run an agent on a host; see "lumetry agent --help".'),
    "lumetry agent --server https://lumetry.example.com:8443 --enrollment-token-file token",
  );
  example(
    elsewhere("doctor", "Find out whether an agent could work on this host, before it enrolls."),
    "lumetry doctor --server https://lumetry.example.com:8443",
    "lumetry doctor --collector https://collector.internal:4319 --proxy http://proxy.internal:3128",
  );
}
