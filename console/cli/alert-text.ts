import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Alert,
  Alert_StateSchema,
  Alert_State as State,
} from "../../gen/lumetry/v1/alert_pb.js";
import type { GetAlertResponse } from "../../gen/lumetry/v1/alert_service_pb.js";
import { spanText } from "../../lib/age.ts";
import type { Cli } from "./cli.ts";
import { labelsText } from "./labels.ts";
import { SEVERITY_STYLES, severityWord } from "./rule-text.ts";
import { facts, table } from "./table.ts";
import { plain, type Style } from "./terminal.ts";
import { ageOf, clockText, enumWord, momentText } from "./words.ts";

const STYLES: Partial<Record<State, Style>> = {
  [State.FIRING]: "red",
  [State.PENDING]: "yellow",
  [State.RESOLVED]: "green",
};

const stateWord = ({ state, suppressedBy }: Alert) =>
  `${enumWord(Alert_StateSchema, state)}${suppressedBy === "" ? "" : ", suppressed"}`;

const sourceOf = ({ source, ruleName }: Alert) =>
  source.case === "systemKind" ? source.value : ruleName || source.value || "";

export function alertTable(cli: Cli, alerts: Alert[], isAll: boolean): string {
  if (alerts.length === 0) return isAll ? "There are no such alerts." : "Nothing is wrong.";
  return table(
    alerts,
    [
      {
        title: "STATE",
        value: stateWord,
        style: ({ state, suppressedBy }) => (suppressedBy === "" ? STYLES[state] : undefined),
      },
      {
        title: "SEVERITY",
        value: ({ severity }) => severityWord(severity),
        style: ({ severity }) => SEVERITY_STYLES[severity],
      },
      { title: "SINCE", value: ({ startTime }) => ageOf(startTime, cli.now()) },
      { title: "WHAT", value: ({ summary }) => summary, least: 24 },
      { title: "BY", value: sourceOf, least: 12, rank: 1 },
      { title: "ID", value: ({ alertId }) => alertId, rank: 2 },
    ],
    cli.terminal,
  );
}

export function alertFacts(cli: Cli, { alert, transitions }: GetAlertResponse): string {
  if (!alert) return "";
  const style = STYLES[alert.state];
  const state = stateWord(alert);
  const { fireTime, resolveTime } = alert;
  const head = facts(
    [
      ["what", plain(alert.summary)],
      ["id", alert.alertId],
      ["state", style ? cli.terminal.paint(state, style) : state],
      ["severity", severityWord(alert.severity)],
      ["by", plain(sourceOf(alert))],
      ["labels", plain(labelsText(alert.labels))],
      ["value", alert.value === undefined ? "" : String(alert.value)],
      ["runbook", plain(alert.runbookUrl)],
      ["wrong since", momentText(alert.startTime, cli.now())],
      ["fired", momentText(fireTime, cli.now())],
      ["ended", momentText(resolveTime, cli.now())],
      [
        "fired for",
        fireTime && resolveTime ? spanText(timestampMs(resolveTime) - timestampMs(fireTime)) : "",
      ],
      ["because", plain(alert.resolveReason)],
      ["explained by", alert.suppressedBy],
    ],
    cli.terminal,
  );
  const history = table(
    transitions,
    [
      {
        title: "AT",
        value: ({ time }) => (time ? clockText(timestampMs(time)) : ""),
      },
      { title: "BECAME", value: ({ to }) => enumWord(Alert_StateSchema, to) },
      {
        title: "VALUE",
        value: ({ value }) => (value === undefined ? "" : String(value)),
        align: "right",
      },
      { title: "KNOWN", value: ({ recordTime }) => ageOf(recordTime, cli.now()), rank: 2 },
      { title: "BECAUSE", value: ({ reason }) => reason, least: 20, rank: 1 },
    ],
    cli.terminal,
  );
  const decided = evidenceText(cli, alert);
  return [head, history, ...(decided === "" ? [] : [decided])].join("\n\n");
}

interface Point {
  time: string;
  value: number | string;
}

/** The points that decided, of the series that was farthest beyond; other evidence as it is. */
function evidenceText(cli: Cli, { evidence }: Alert): string {
  const series = evidence?.series;
  const [first] = Array.isArray(series) ? (series as { points?: Point[] }[]) : [];
  if (!first?.points) {
    const rest = Object.entries(evidence ?? {});
    return facts(
      rest.map(([name, value]) => [name, plain(JSON.stringify(value))]),
      cli.terminal,
    );
  }
  return table(
    first.points,
    [
      { title: "DECIDED BY", value: ({ time }) => clockText(Date.parse(time)) },
      { title: "VALUE", value: ({ value }) => String(value), align: "right" },
    ],
    cli.terminal,
  );
}
