import path from "node:path";
import type { Cli } from "../cli.ts";
import type { Place } from "../place.ts";
import { facts } from "../table.ts";
import { AGENT_LABEL } from "./agent.ts";
import { FIRST_METRIC } from "./collector.ts";
import type { Owner } from "./owner.ts";

/** Whoever came here by npm has the command in the project only. */
const commandName = ({ environment }: Cli) =>
  environment.npm_execpath === undefined ? "lumetry" : "npx lumetry";

/** For a server that somebody has set up, in a folder that has forgotten who. */
export const signInWords = (cli: Cli) =>
  `The server was set up before. Sign in in another terminal, in this folder:\n\n  ${commandName(cli)} login\n`;

/** What to look at and type next. */
export function nextSteps(
  cli: Cli,
  options: { directory: string; place: Pick<Place, "url" | "caFile">; owner: Owner },
): string {
  const { terminal } = cli;
  const { directory, place, owner } = options;
  const near = (file: string) => path.relative(cli.directory, file) || ".";
  const lumetry = commandName(cli);
  const command = (text: string, about: string): [string, string] => [about, text];
  const ca = place.caFile === undefined ? "" : ` --cacert ${near(place.caFile)}`;
  const { credentials } = owner;
  const paragraphs = [
    terminal.paint("Lumetry is running.", "bold", "green"),
    credentials &&
      facts(
        [
          ["console", place.url],
          ["e-mail", credentials.email],
          ["password", `${terminal.paint(credentials.password, "bold")}   (shown this once only)`],
        ],
        terminal,
      ),
    owner.session === undefined && signInWords(cli),
    "In another terminal, in this folder:",
    facts(
      [
        command(`${lumetry} metrics query ${FIRST_METRIC}`, "  a chart"),
        command(`${lumetry} collectors list`, "  the collector"),
        command(`${lumetry} agents list`, "  the agent behind it"),
        command(`${lumetry} --help`, "  all commands"),
        command(
          `curl${ca} -H 'content-type: application/json' -d '{}' ${place.url}/lumetry.v1.SetupService/GetSetup`,
          "  any call, by curl",
        ),
      ],
      terminal,
    ),
    terminal.paint(
      `This machine is measured twice: by the collector, and by the agent (${AGENT_LABEL.name}=${AGENT_LABEL.value}).`,
      "dim",
    ),
    terminal.paint(
      `Data, logs and certificates are in ${near(directory)}; the next start goes on with them. Ctrl-C stops everything.`,
      "dim",
    ),
  ];
  return `\n${paragraphs.filter(Boolean).join("\n\n")}\n`;
}
