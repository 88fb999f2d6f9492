import { create, toJsonString } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { MetricMetadata_KindSchema as KindSchema } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  GetMetricResponseSchema,
  ListLabelsResponseSchema,
  ListLabelValuesResponseSchema,
  ListSeriesResponseSchema,
  type Metric,
  MetricQueryService,
  StreamRangeResponseSchema,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { labelsText, readMatcher } from "../labels.ts";
import { allPages } from "../pages.ts";
import { matchersOf, type SeriesOptions } from "../query.ts";
import { facts, table } from "../table.ts";
import { plain } from "../terminal.ts";
import { ageOf, countText, enumWord, momentText, readCount, readSpan } from "../words.ts";

const MOST_SHOWN = 200;
const DAY_MS = 86_400_000;

/** The commands that tell what there is. */
export function addCatalog(metrics: Command, cli: Cli): void {
  const client = () => cli.signedIn().client(MetricQueryService);
  const selective = (command: Command) =>
    command
      .argument("<metric>", "its name")
      .option("--match <condition>", "only series with this label; repeat for more", readMatcher)
      .option("--collector <collector>", "only this collector's series, by its name or id")
      .option("--agent <agent>", "only this agent's series, by its name or id");

  example(
    metrics
      .command("show")
      .description("Show what a metric means, how many series it has, and who sends it.")
      .argument("<metric>", "its name")
      .action(async (metric: string) => {
        const response = await client().getMetric({ metric });
        cli.answer(GetMetricResponseSchema, response, () => {
          const { metric: found, senders } = response;
          return found ? `${metricFacts(cli, found)}\n\n${senderTable(cli, senders)}` : "";
        });
      }),
    "lumetry metrics show system.cpu.utilization",
  );

  example(
    metrics
      .command("search")
      .description("Find metrics, labels and values of labels by a part of their names.")
      .argument("<text>", "what they contain")
      .action(async (text: string) => cli.print(await search(cli, text))),
    "lumetry metrics search eth0",
  );

  example(
    selective(metrics.command("series").description("List the series of a metric."))
      .option("--most <number>", "how many to show; 200 when not given", readCount(1))
      .action(async (metric: string, options: SeriesOptions & { most?: number }) => {
        const connection = cli.signedIn();
        const asked = connection.client(MetricQueryService);
        const matchers = await matchersOf(connection, options);
        const most = options.most ?? MOST_SHOWN;
        const series = await allPages(
          (page) => asked.listSeries({ ...page, metric, matchers }),
          (page) => page.series,
          most,
        );
        const response = create(ListSeriesResponseSchema, { series });
        cli.answer(ListSeriesResponseSchema, response, () =>
          series.length === 0
            ? `There are no such series of ${plain(metric)}.`
            : table(
                series,
                [
                  { title: "LABELS", value: ({ labels }) => labelsText(labels), least: 24 },
                  {
                    title: "FIRST SEEN",
                    value: (one) => ageOf(one.firstSeenTime, cli.now()),
                    rank: 2,
                  },
                  {
                    title: "LAST SEEN",
                    value: (one) =>
                      `${ageOf(one.lastSeenTime, cli.now())}${one.archived ? ", archived" : ""}`,
                    rank: 1,
                  },
                ],
                cli.terminal,
              ),
        );
      }),
    "lumetry metrics series system.network.io --match device=eth0",
  );

  example(
    metrics
      .command("labels")
      .description("List the names of labels, or with --values the values of one.")
      .argument("[metric]", "only of this metric's series")
      .option("--values <label>", "the values of this label")
      .option("--contains <text>", "only those that contain this")
      .action(
        async (metric = "", { values, contains }: { values?: string; contains?: string } = {}) => {
          if (values === undefined) await listLabels(cli, metric, contains ?? "");
          else await listValues(cli, metric, values, contains ?? "");
        },
      ),
    "lumetry metrics labels system.network.io",
    "lumetry metrics labels --values host --contains web",
  );

  example(
    selective(
      metrics
        .command("export")
        .description("Print all points of a metric, a line of JSON at a time."),
    )
      .option("--since <span>", "this far back from now; 1d when not given", readSpan)
      .action(async (metric: string, options: SeriesOptions & { since?: number }) => {
        const connection = cli.signedIn();
        const matchers = await matchersOf(connection, options);
        const now = cli.now();
        const query = {
          metric,
          matchers,
          startTime: timestampFromMs(now - (options.since ?? DAY_MS)),
          endTime: timestampFromMs(now),
        };
        for await (const message of connection.client(MetricQueryService).streamRange({ query })) {
          cli.print(toJsonString(StreamRangeResponseSchema, message));
        }
      }),
    "lumetry metrics export system.cpu.utilization --since 7d > cpu.jsonl",
  );
}

async function listLabels(cli: Cli, metric: string, nameContains: string): Promise<void> {
  const asked = cli.signedIn().client(MetricQueryService);
  const labels = await allPages(
    (page) => asked.listLabels({ ...page, metric, nameContains }),
    (page) => page.labels,
  );
  cli.answer(ListLabelsResponseSchema, create(ListLabelsResponseSchema, { labels }), () =>
    labels.length === 0
      ? "There are no such labels."
      : table(
          labels,
          [
            { title: "LABEL", value: ({ label }) => label, least: 16 },
            { title: "VALUES", value: (one) => countText(one.valueCount), align: "right" },
            {
              title: "SERIES",
              value: (one) => countText(one.seriesCount),
              align: "right",
              rank: 1,
            },
          ],
          cli.terminal,
        ),
  );
}

async function listValues(
  cli: Cli,
  metric: string,
  label: string,
  valueContains: string,
): Promise<void> {
  const asked = cli.signedIn().client(MetricQueryService);
  const values = await allPages(
    (page) => asked.listLabelValues({ ...page, label, metric, valueContains }),
    (page) => page.values,
  );
  cli.answer(
    ListLabelValuesResponseSchema,
    create(ListLabelValuesResponseSchema, { values }),
    () =>
      values.length === 0
        ? `The label ${plain(label)} has no such values.`
        : table(
            values,
            [
              { title: "VALUE", value: ({ value }) => value, least: 16 },
              { title: "SERIES", value: (one) => countText(one.seriesCount), align: "right" },
            ],
            cli.terminal,
          ),
  );
}

const MOST_FOUND = 20;

/** What contains a text: metrics by name, labels by name, and values of labels. */
async function search(cli: Cli, text: string): Promise<string> {
  const asked = cli.signedIn().client(MetricQueryService);
  const { metrics } = await asked.listMetrics({ nameContains: text, pageSize: MOST_FOUND });
  const labels = await allPages(
    (page) => asked.listLabels({ ...page }),
    (page) => page.labels,
    MOST_SHOWN,
  );
  const pairs: string[] = [];
  for (const { label } of labels) {
    const { values } = await asked.listLabelValues({
      label,
      valueContains: text,
      pageSize: MOST_FOUND,
    });
    pairs.push(...values.map(({ value }) => `${label}=${value}`));
    if (pairs.length >= MOST_FOUND) break;
  }
  const wanted = text.toLowerCase();
  const named = labels
    .map(({ label }) => label)
    .filter((name) => name.toLowerCase().includes(wanted));
  if (cli.json) {
    const names = metrics.map(({ metric }) => metric);
    return JSON.stringify({ metrics: names, labels: named, values: pairs }, null, 2);
  }
  const part = (title: string, lines: string[]) =>
    lines.length === 0
      ? []
      : [
          `${cli.terminal.paint(title, "bold")}\n${lines.map((line) => `  ${plain(line)}`).join("\n")}`,
        ];
  const parts = [
    ...part(
      "Metrics",
      metrics.map(({ metric }) => metric),
    ),
    ...part("Labels", named),
    ...part("Values", pairs.slice(0, MOST_FOUND)),
  ];
  return parts.length === 0
    ? `Nothing contains "${plain(text)}": neither a metric nor a label nor a value of one.`
    : parts.join("\n\n");
}

function metricFacts(cli: Cli, metric: Metric): string {
  return facts(
    [
      ["metric", plain(metric.metric)],
      ["description", plain(metric.description)],
      ["kind", enumWord(KindSchema, metric.kind)],
      ["unit", plain(metric.unit)],
      ["series", countText(metric.seriesCount)],
      ["first seen", momentText(metric.firstSeenTime, cli.now())],
      ["last seen", momentText(metric.lastSeenTime, cli.now())],
    ],
    cli.terminal,
  );
}

function senderTable(
  cli: Cli,
  senders: { senderId: string; displayName: string; lastSeenTime?: Metric["lastSeenTime"] }[],
): string {
  if (senders.length === 0) return "Who sends it is known some minutes after the first points.";
  return table(
    senders,
    [
      {
        title: "SENT BY",
        value: ({ displayName, senderId }) => displayName || senderId,
        least: 16,
      },
      { title: "ID", value: ({ senderId }) => senderId, rank: 1 },
      { title: "LAST SEEN", value: ({ lastSeenTime }) => ageOf(lastSeenTime, cli.now()) },
    ],
    cli.terminal,
  );
}

export function metricTable(cli: Cli, metrics: Metric[]): string {
  if (metrics.length === 0) return "There are no such metrics yet.";
  return table(
    metrics,
    [
      { title: "METRIC", value: ({ metric }) => metric, least: 24 },
      { title: "KIND", value: ({ kind }) => enumWord(KindSchema, kind), rank: 2 },
      { title: "UNIT", value: ({ unit }) => unit, rank: 1 },
      {
        title: "SERIES",
        value: ({ seriesCount }) => countText(seriesCount),
        align: "right",
        rank: 3,
      },
      { title: "DESCRIPTION", value: ({ description }) => description, least: 20, rank: 4 },
    ],
    cli.terminal,
  );
}
