import { Command } from "commander";
import { version } from "../../lib/version.ts";
import { type Cli, makeCli } from "./cli.ts";
import { ExitCode } from "./errors.ts";
import { FAMILIES, type Family } from "./families.ts";

const AFTER = `
Where to connect: --server, --ca and --token-file, or LUMETRY_SERVER, LUMETRY_CA and LUMETRY_TOKEN;
else what "lumetry up" has saved in this folder or one above it; else what "lumetry login" has saved.

Exit codes: ${ExitCode.OK} done, ${ExitCode.FAILED} refused or failed, ${ExitCode.USAGE} mistake in the command, ${ExitCode.NOT_SIGNED_IN} not signed in,
${ExitCode.NOT_ALLOWED} not allowed, ${ExitCode.UNREACHABLE} the server cannot be reached, ${ExitCode.INTERRUPTED} interrupted.

Examples:
  lumetry up                                     start everything on this machine
  lumetry login --server https://lumetry.example.com:8443
  lumetry collectors list
  lumetry profiles create "web servers"
  lumetry metrics query system.cpu.load_average.1m --since 6h`;

const withGlobalOptions = (command: Command) =>
  command
    .option("--json", "answer with the JSON form of the response")
    .option("--server <url>", "the server to call")
    .option("--ca <file>", "trust the authorities in this PEM file, and no others")
    .option("--token-file <file>", "use the access token in this file");

const withVersion = (command: Command) =>
  command.version(`lumetry ${version}`, "-V, --version", "show the version");

/** What has to be loaded for what was typed; everything where no command is named, or none that there is. */
function familiesFor(args: readonly string[]): readonly Family[] {
  const reading = withGlobalOptions(new Command("lumetry"))
    .option("-V, --version")
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
  let operands: string[];
  try {
    ({ operands } = reading.parseOptions([...args]));
  } catch {
    return FAMILIES; // the program itself says what is wrong
  }
  if (reading.opts<{ version?: true }>().version) return [];
  const family = FAMILIES.find(({ names }) => names.includes(operands[0] ?? ""));
  return family && !family.needsAll ? [family] : FAMILIES;
}

/** The tree of commands: of all, or of those that matter for what was typed. */
export async function makeProgram(
  environment: Record<string, string | undefined>,
  args?: readonly string[],
): Promise<{ program: Command; cli: Cli }> {
  const families = args ? familiesFor(args) : FAMILIES;
  const program = new Command("lumetry");
  const cli = makeCli(program, environment);
  program.description("Monitoring for machines that nobody can reach from outside.");
  withGlobalOptions(withVersion(program).helpOption("-h, --help", "show help"))
    .configureHelp({
      showGlobalOptions: true,
      subcommandDescription: (command) =>
        command.commands.length > 0
          ? `${command.description()} (${command.commands.map((each) => each.name()).join(", ")})`
          : command.description(),
    })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "lumetry: ")) })
    .showSuggestionAfterError()
    .addHelpText("after", AFTER)
    .exitOverride();

  const added = await Promise.all(families.map(({ load }) => load()));
  for (const [index, add] of added.entries()) {
    program.commandsGroup(families[index]?.group ?? "");
    add(program, cli);
  }
  program.helpCommand("help [command]", "show help for a command");
  return { program, cli };
}
