/** Writes the tables of settings into README.md, from what the programs really read. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { agentSettings } from "../../agent/settings.ts";
import { collectorSettings } from "../../collector/settings.ts";
import { type Definitions, flagName, variableName } from "../../lib/settings.ts";
import { serverSettings } from "../../server/settings.ts";
import { readDocument, root, withPart } from "./markdown.ts";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
const code = (text: string | undefined) => (text ? `\`${text}\`` : "");

function settingsTable(definitions: Definitions): string {
  const rows = Object.entries(definitions).map(([key, setting]) => [
    code(`--${flagName(key)}`),
    code(variableName(key)),
    code(setting.default),
    cell(setting.description),
  ]);
  const lines = [["flag", "variable", "default", "what it is"], Array(4).fill("---"), ...rows];
  return `\n${lines.map((line) => `| ${line.join(" | ")} |`).join("\n")}\n\n`;
}

/** The text of README.md with its tables as they should be. */
export function withSettingsTables(readme: string): string {
  const programs = { server: serverSettings, collector: collectorSettings, agent: agentSettings };
  return Object.entries(programs).reduce(
    (text, [program, settings]) =>
      withPart(text, `settings of the ${program}`, settingsTable(settings)),
    readme,
  );
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(path.join(root, "README.md"), withSettingsTables(readDocument("README.md")));
}
