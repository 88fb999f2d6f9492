import { Command } from "commander";
import { version } from "../../lib/version.ts";
import { type Cli, makeCli } from "./cli.ts";
import { addAgents } from "./commands/agents.ts";
import { addAlerts } from "./commands/alerts.ts";
import { addAudit } from "./commands/audit.ts";
import { addChannels } from "./commands/channels.ts";
import { addCollectors } from "./commands/collectors.ts";
import { addCompletion } from "./commands/completion.ts";
import { addConfig } from "./commands/config.ts";
import { addIncidents } from "./commands/incidents.ts";
import { addKeys } from "./commands/keys.ts";
import { addLogin } from "./commands/login.ts";
import { addMetrics } from "./commands/metrics.ts";
import { addProcesses } from "./commands/processes.ts";
import { addProfiles } from "./commands/profiles.ts";
import { addRoutes } from "./commands/routes.ts";
import { addRules } from "./commands/rules.ts";
import { addSession } from "./commands/session.ts";
import { addSilences } from "./commands/silences.ts";
import { addSources } from "./commands/sources.ts";
import { addSystemAlerts } from "./commands/system-alerts.ts";
import { addTokens } from "./commands/tokens.ts";
import { addTopology } from "./commands/topology.ts";
import { addUsers } from "./commands/users.ts";
import { addWork } from "./commands/work.ts";
import { addWorkspaces } from "./commands/workspaces.ts";
import { addZones } from "./commands/zones.ts";
import { ExitCode } from "./errors.ts";

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

/** The tree of all commands. */
export function makeProgram(environment: Record<string, string | undefined>): {
  program: Command;
  cli: Cli;
} {
  const program = new Command("lumetry");
  const cli = makeCli(program, environment);
  program
    .description("Monitoring for machines that nobody can reach from outside.")
    .version(`lumetry ${version}`, "-V, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .option("--json", "answer with the JSON form of the response")
    .option("--server <url>", "the server to call")
    .option("--ca <file>", "trust the authorities in this PEM file, and no others")
    .option("--token-file <file>", "use the access token in this file")
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

  program.commandsGroup("Run:");
  addProcesses(program, cli);
  program.commandsGroup("Sign in:");
  addLogin(program, cli);
  addSession(program, cli);
  program.commandsGroup("Watch:");
  addMetrics(program, cli);
  addRules(program, cli);
  addAlerts(program, cli);
  addIncidents(program, cli);
  addSilences(program, cli);
  addSystemAlerts(program, cli);
  addAudit(program, cli);
  program.commandsGroup("Collectors and hosts:");
  addCollectors(program, cli);
  addAgents(program, cli);
  addProfiles(program, cli);
  addConfig(program, cli);
  addZones(program, cli);
  addTopology(program, cli);
  program.commandsGroup("Sources and messages:");
  addSources(program, cli);
  addChannels(program, cli);
  addRoutes(program, cli);
  addWork(program, cli);
  program.commandsGroup("People and access:");
  addUsers(program, cli);
  addTokens(program, cli);
  addKeys(program, cli);
  addWorkspaces(program, cli);
  program.commandsGroup("More:");
  addCompletion(program, cli);
  program.helpCommand("help [command]", "show help for a command");
  return { program, cli };
}
