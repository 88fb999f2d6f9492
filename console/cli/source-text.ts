import { toJsonString } from "@bufbuild/protobuf";
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { Reading } from "../../gen/lumetry/source/v1/reading_pb.js";
import {
  type SourceSettings,
  SourceSettingsSchema,
} from "../../gen/lumetry/source/v1/settings_pb.js";
import {
  type Source,
  Source_StatusSchema,
  Source_Status as Status,
} from "../../gen/lumetry/v1/source_service_pb.js";
import { ageText, spanText } from "../../lib/age.ts";
import type { Cli } from "./cli.ts";
import { labelsText } from "./labels.ts";
import { facts, table } from "./table.ts";
import { plain, type Style, type Terminal } from "./terminal.ts";
import { counted, countText, enumWord, momentText } from "./words.ts";

const KINDS: Record<NonNullable<SourceSettings["kind"]["case"]>, string> = {
  prometheusScrape: "Prometheus",
  httpCheck: "HTTP check",
  jsonHttp: "JSON over HTTP",
  tcpCheck: "TCP check",
  dnsCheck: "DNS check",
  tlsCertificate: "TLS certificate",
  postgresQuery: "PostgreSQL",
};

const kindOf = (settings: SourceSettings | undefined): string =>
  settings?.kind.case ? KINDS[settings.kind.case] : "of a later version";

/** What is polled, in few words. */
export function targetOf(settings: SourceSettings | undefined): string {
  const kind = settings?.kind;
  switch (kind?.case) {
    case "prometheusScrape":
    case "httpCheck":
    case "jsonHttp":
      return kind.value.http?.url ?? "";
    case "dnsCheck":
      return kind.value.name;
    case "tcpCheck":
    case "tlsCertificate":
    case "postgresQuery": {
      const { host = "", port = 0 } = kind.value.target ?? {};
      return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    }
    default:
      return "";
  }
}

const STYLES: Partial<Record<Status, Style>> = {
  [Status.UP]: "green",
  [Status.DOWN]: "red",
  [Status.LATE]: "yellow",
  [Status.UNASSIGNED]: "yellow",
  [Status.PAUSED]: "dim",
};

const every = (interval: Duration | undefined) => (interval ? msText(durationMs(interval)) : "");

/** "12 ms", "1.5 s", "60 s". */
export function msText(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${Number((ms / 1000).toFixed(1))} s`;
}

const polledText = ({ poll }: Source): string =>
  poll?.lastReportAge ? ageText(durationMs(poll.lastReportAge)) : "";

export function sourceTable(cli: Cli, sources: Source[]): string {
  if (sources.length === 0)
    return 'There are no sources yet. Add one with "lumetry sources create".';
  return table(
    sources,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ sourceId }) => sourceId, rank: 3 },
      { title: "KIND", value: ({ settings }) => kindOf(settings), rank: 2 },
      { title: "TARGET", value: ({ settings }) => targetOf(settings), least: 16 },
      {
        title: "STATUS",
        value: ({ status }) => enumWord(Source_StatusSchema, status),
        style: ({ status }) => STYLES[status],
      },
      { title: "EVERY", value: ({ interval }) => every(interval), align: "right", rank: 4 },
      { title: "POLLED", value: polledText, rank: 1 },
      { title: "WHY", value: ({ poll }) => poll?.failure ?? "", least: 20, rank: 1 },
    ],
    cli.terminal,
  );
}

const ADVICE: Partial<Record<Status, string>> = {
  [Status.UNASSIGNED]:
    'no collector of the zone that may poll is connected; see "lumetry work collectors"',
  [Status.LATE]: "polls are due, and none is reported",
};

export function sourceFacts(cli: Cli, source: Source): string {
  const { terminal } = cli;
  const { poll, secrets, status } = source;
  const word = enumWord(Source_StatusSchema, status);
  const style = STYLES[status];
  const shown = style ? terminal.paint(word, style) : word;
  return facts(
    [
      ["name", plain(source.displayName)],
      ["id", source.sourceId],
      ["status", ADVICE[status] ? `${shown}: ${ADVICE[status]}` : shown],
      ["why", plain(poll?.failure ?? "")],
      ["kind", kindOf(source.settings)],
      ["target", plain(targetOf(source.settings))],
      ["settings", source.settings && plain(toJsonString(SourceSettingsSchema, source.settings))],
      ["zone", source.zoneId],
      ["every", `${every(source.interval)}, with ${every(source.timeout)} to answer`],
      ["labels", plain(labelsText(source.labels))],
      ["secrets", secrets && secretsText(secrets)],
      ["polled by", source.assignedCollectorId],
      ["last poll", polledText(source)],
      ["took", poll?.duration && msText(durationMs(poll.duration))],
      ["phases", poll && phasesText(poll.phases)],
      ["points", poll?.lastReportAge && pointsText(poll)],
      ["failures in a row", poll?.failuresInARow ? countText(poll.failuresInARow) : ""],
      ["left alone until", momentText(poll?.backingOffUntil, cli.now())],
      ["polls", poll && pollsText(poll)],
      ["created", momentText(source.createTime, cli.now())],
    ],
    terminal,
  );
}

type Poll = NonNullable<Source["poll"]>;

const pointsText = ({ acceptedPoints, refusedPoints, refusal }: Poll): string =>
  refusedPoints === 0n
    ? `${countText(acceptedPoints)} stored`
    : `${countText(acceptedPoints)} stored, ${countText(refusedPoints)} refused: ${plain(refusal)}`;

const pollsText = ({ completedPolls, skippedPolls, filledPolls, staleReports }: Poll): string =>
  [
    `${countText(completedPolls)} done`,
    skippedPolls > 0n && `${countText(skippedPolls)} skipped`,
    filledPolls > 0n && `${countText(filledPolls)} filled in after an outage`,
    staleReports > 0n && `${counted(staleReports, "report")} too late to count`,
  ]
    .filter(Boolean)
    .join(", ");

function secretsText(secrets: NonNullable<Source["secrets"]>): string {
  const which = [
    secrets.bearerToken && "bearer token",
    secrets.password && "password",
    secrets.headerNames.length > 0 && `headers ${secrets.headerNames.join(", ")}`,
  ].filter(Boolean);
  return `${which.join(", ")} (for ${secrets.boundTo} only)`;
}

export const phasesText = (phases: Reading["phases"]): string =>
  phases
    .map(({ name, duration }) => `${plain(name)} ${msText(duration ? durationMs(duration) : 0)}`)
    .join(", ");

const MOST_SAMPLES = 20;

/** The result of a test, as a person wants to read it. */
export function readingText(reading: Reading, terminal: Terminal): string {
  const took = reading.duration ? ` in ${msText(durationMs(reading.duration))}` : "";
  const verdict = reading.up
    ? terminal.paint(`It answered as it should${took}.`, "green")
    : terminal.paint(`It did not answer as it should: ${plain(reading.failure)}`, "red");
  const samples = reading.series.flatMap(({ metric, labels, points }) =>
    points.map(({ value }) => ({ metric, labels: labelsText(labels), value: String(value) })),
  );
  const shown = table(
    samples.slice(0, MOST_SAMPLES),
    [
      { title: "METRIC", value: ({ metric }) => metric, least: 16 },
      { title: "LABELS", value: ({ labels }) => labels, least: 16, rank: 1 },
      { title: "VALUE", value: ({ value }) => value, align: "right" },
    ],
    terminal,
  );
  const more = samples.length - MOST_SAMPLES;
  return [
    verdict,
    facts(
      [
        ["phases", phasesText(reading.phases)],
        ...Object.entries(reading.facts).map(([name, value]): [string, string] => [
          plain(name),
          plain(value),
        ]),
      ],
      terminal,
    ),
    samples.length > 0 && shown,
    more > 0 && terminal.paint(`(and ${counted(more, "sample")} more; see --json)`, "dim"),
  ]
    .filter(Boolean)
    .join("\n");
}

/** "in 12 seconds" or "12 seconds late". */
export const lateText = (ms: number): string => `${spanText(ms)} late`;
