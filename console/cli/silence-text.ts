import {
  type AlertConditions,
  type Silence,
  Silence_StatusSchema,
  Silence_Status as Status,
} from "../../gen/lumetry/v1/silence_service_pb.js";
import type { Cli } from "./cli.ts";
import { matcherText } from "./labels.ts";
import { severityWord } from "./rule-text.ts";
import { facts, table } from "./table.ts";
import { plain, type Style } from "./terminal.ts";
import { ageOf, countText, deadlineText, enumWord, momentText } from "./words.ts";

/** 'host=db, severity critical or warning'; "" when nothing is said. */
export function conditionsText(conditions: AlertConditions | undefined): string {
  if (!conditions) return "";
  const one = (noun: string, names: string[]) =>
    names.length === 0 ? [] : [`${noun} ${names.join(" or ")}`];
  return [
    ...conditions.matchers.map(matcherText),
    ...one("severity", conditions.severities.map(severityWord)),
    ...one("rule", conditions.ruleIds),
    ...one("cluster", conditions.clusterIds),
  ].join(", ");
}

const aboutText = ({ conditions, incidentId }: Silence) =>
  [...(incidentId ? [`incident ${incidentId}`] : []), conditionsText(conditions)]
    .filter(Boolean)
    .join(", ");

const STYLES: Partial<Record<Status, Style>> = { [Status.ACTIVE]: "yellow" };

export function silenceTable(cli: Cli, silences: Silence[]): string {
  if (silences.length === 0) {
    return 'There are no such silences. Add one with "lumetry silences create".';
  }
  return table(
    silences,
    [
      { title: "ID", value: ({ silenceId }) => silenceId },
      {
        title: "STATUS",
        value: ({ status }) => enumWord(Silence_StatusSchema, status),
        style: ({ status }) => STYLES[status],
      },
      { title: "ABOUT", value: aboutText, least: 20 },
      { title: "ENDS", value: ({ endTime }) => ageOf(endTime, cli.now()) },
      { title: "FIRING", value: ({ firingAlerts }) => countText(firingAlerts), align: "right" },
      { title: "WHY", value: ({ reason }) => reason, least: 16, rank: 1 },
      { title: "BY", value: ({ createdByName }) => createdByName, rank: 2 },
    ],
    cli.terminal,
  );
}

export function silenceFacts(cli: Cli, silence: Silence): string {
  return facts(
    [
      ["id", silence.silenceId],
      ["status", enumWord(Silence_StatusSchema, silence.status)],
      ["about", plain(aboutText(silence))],
      ["alerts that fire now", countText(silence.firingAlerts)],
      ["starts", momentText(silence.startTime, cli.now())],
      ["ends", deadlineText(silence.endTime, cli.now())],
      ["why", plain(silence.reason)],
      ["made by", plain(silence.createdByName)],
    ],
    cli.terminal,
  );
}
