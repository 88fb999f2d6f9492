import { createTwoFilesPatch } from "diff";
import { AcknowledgeConfigRequest_OutcomeSchema as OutcomeSchema } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import type { Configuration } from "../../gen/lumetry/v1/configuration_service_pb.js";
import { facts, table } from "./table.ts";
import { plain, plainLines, type Style, type Terminal } from "./terminal.ts";
import { ageOf, countText, enumWord, momentText } from "./words.ts";

/** Where a revision is on its way. */
function outcomeText({ outcome, offerTime }: Configuration): string {
  return enumWord(OutcomeSchema, outcome) || (offerTime ? "offered" : "waiting");
}

const OUTCOME_STYLES: Record<string, Style> = {
  applied: "green",
  rejected: "red",
  offered: "yellow",
  waiting: "yellow",
};

export function configFacts(config: Configuration, terminal: Terminal, now: number): string {
  const outcome = outcomeText(config);
  const isProfile = config.appliedAgents > 0n || config.rejectedAgents > 0n;
  const head = facts(
    [
      ["revision", terminal.paint(`${config.revision}`, "bold")],
      ["published", `${momentText(config.publishTime, now) ?? ""} by ${plain(config.publisher)}`],
      ["of its profile", config.profileRevision > 0n ? `revision ${config.profileRevision}` : ""],
      ["reverted from", config.revertedFrom > 0n ? `revision ${config.revertedFrom}` : ""],
      ["offered", momentText(config.offerTime, now)],
      [
        "outcome",
        terminal.paint(outcome, OUTCOME_STYLES[outcome] ?? "bold") +
          (config.acknowledgeTime ? ` ${momentText(config.acknowledgeTime, now)}` : ""),
      ],
      [
        "agents",
        isProfile
          ? `applied by ${countText(config.appliedAgents)}, rejected by ${countText(config.rejectedAgents)}`
          : "",
      ],
      ["because", plain(config.reason)],
      ["ignored keys", config.ignoredKeys.map(plain).join(", ")],
    ],
    terminal,
  );
  return `${head}\n\n${plainLines(config.document).trimEnd()}`;
}

export function historyTable(
  configs: Configuration[],
  name: string,
  terminal: Terminal,
  now: number,
): string {
  if (configs.length === 0) {
    return `Nothing was published for ${name} yet: it runs on defaults.`;
  }
  return table(
    configs,
    [
      { title: "REVISION", value: ({ revision }) => `${revision}`, align: "right" },
      { title: "PUBLISHED", value: ({ publishTime }) => ageOf(publishTime, now) },
      { title: "BY", value: ({ publisher }) => publisher, least: 12, rank: 1 },
      {
        title: "OUTCOME",
        value: outcomeText,
        style: (config) => OUTCOME_STYLES[outcomeText(config)],
      },
      {
        title: "FROM",
        value: ({ revertedFrom }) => (revertedFrom > 0n ? `revision ${revertedFrom}` : ""),
        rank: 2,
      },
      { title: "REASON", value: ({ reason }) => reason, least: 16, rank: 3 },
      {
        title: "IGNORED KEYS",
        value: ({ ignoredKeys }) => ignoredKeys.join(" "),
        least: 12,
        rank: 4,
      },
    ],
    terminal,
  );
}

/** What today's edges will leave alone; "" when nothing. */
export function unknownText(keys: string[], terminal: Terminal): string {
  if (keys.length === 0) return "";
  return `${terminal.paint("!", "yellow", "bold")} Today's collectors and agents do not know, and ignore: ${keys.map(plain).join(", ")}`;
}

interface Side {
  title: string;
  document: string;
}

/** A unified diff of two documents, coloured; a sentence when they are the same. */
export function diffText(before: Side, after: Side, terminal: Terminal): string {
  const ended = ({ document }: Side) => `${document.replace(/\s+$/, "")}\n`;
  if (ended(before) === ended(after)) {
    return `There is no difference between ${before.title} and ${after.title}.`;
  }
  const patch = createTwoFilesPatch(before.title, after.title, ended(before), ended(after));
  return plainLines(patch)
    .trimEnd()
    .split("\n")
    .filter((line) => !/^=+$/.test(line))
    .map((line) => {
      if (/^(---|\+\+\+) /.test(line)) return terminal.paint(line, "bold");
      if (line.startsWith("@@")) return terminal.paint(line, "cyan");
      if (line.startsWith("+")) return terminal.paint(line, "green");
      if (line.startsWith("-")) return terminal.paint(line, "red");
      return line;
    })
    .join("\n");
}
