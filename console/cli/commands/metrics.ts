import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, InvalidArgumentError } from "commander";
import type { TimeSeries } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import {
  ListLatestValuesResponseSchema,
  ListMetricsResponseSchema,
  type Metric,
  MetricQueryService,
} from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import { spanText } from "../../../lib/age.ts";
import {
  AGGREGATIONS,
  GROUPINGS,
  readAggregation,
  readGrouping,
  readNames,
} from "../aggregations.ts";
import { type Cli, example } from "../cli.ts";
import { CONDITIONS, readMatcher } from "../labels.ts";
import { allPages } from "../pages.ts";
import { matchersOf, type QueryOptions, query, type SeriesOptions } from "../query.ts";
import { nameSeries } from "../series-names.ts";
import { table } from "../table.ts";
import { readMoment } from "../times.ts";
import { valueText } from "../units.ts";
import { ageOf, readCount, readSpan } from "../words.ts";
import { addCatalog, metricTable } from "./metric-catalog.ts";

const HOUR_MS = 3_600_000;

export function addMetrics(program: Command, cli: Cli): void {
  const metrics = program.command("metrics").description("What was measured.");
  const selective = (command: Command) =>
    command
      .argument("<metric>", "its name")
      .option(
        "-l, --label <condition>",
        `only series with ${CONDITIONS}; repeat for more`,
        readMatcher,
      )
      .option("--match <condition>", "the same", readMatcher)
      .option("--collector <collector>", "only this collector's series, by its name or id")
      .option("--agent <agent>", "only this agent's series, by its name or id");

  example(
    metrics
      .command("list")
      .description("List metrics by name.")
      .argument("[text]", "only names that contain this")
      .option("-l, --label <condition>", `only metrics with ${CONDITIONS}`, readMatcher)
      .option("--match <condition>", "the same", readMatcher)
      .option("--collector <collector>", "only what this collector sends, by its name or id")
      .option("--agent <agent>", "only what this agent sends, by its name or id")
      .action(async (nameContains = "", options: SeriesOptions) => {
        const connection = cli.signedIn();
        const asked = connection.client(MetricQueryService);
        const matchers = await matchersOf(connection, options);
        const found = await allPages(
          (page) => asked.listMetrics({ ...page, nameContains, matchers }),
          (page) => page.metrics,
        );
        const response = create(ListMetricsResponseSchema, { metrics: found });
        cli.answer(ListMetricsResponseSchema, response, () => metricTable(cli, found));
      }),
    "lumetry metrics list cpu",
  );

  example(
    selective(
      metrics.command("latest").description("Show the newest value of each series of a metric."),
    )
      .option("--look-back <span>", "how old a value may be, up to 7d; 1h when not given", readSpan)
      .action(async (metric: string, options: SeriesOptions & { lookBack?: number }) => {
        const { lookBack = HOUR_MS } = options;
        const connection = cli.signedIn();
        const response = await connection.client(MetricQueryService).listLatestValues({
          metric,
          matchers: await matchersOf(connection, options),
          lookBack: durationFromMs(lookBack),
        });
        const { series } = response;
        const named = cli.json ? { common: "", names: [] } : await nameSeries(connection, series);
        cli.answer(ListLatestValuesResponseSchema, response, () =>
          series.length === 0
            ? `No series has a value younger than ${spanText(lookBack)}; look further with --look-back.`
            : latestTable(cli, response.metric, series, named),
        );
      }),
    "lumetry metrics latest system.filesystem.utilization -l mountpoint=/",
  );

  example(
    selective(metrics.command("query").description("Draw a metric over time."))
      .option(
        "--since <span>",
        "this far back from now, such as 15m, 6h or 7d (default: 1h)",
        readSpan,
      )
      .option("--from <time>", "15:04, 2026-01-05, 2026-01-05T15:04:00Z or 2h", momentReader(cli))
      .option("--to <time>", "likewise; now when not given", momentReader(cli))
      .option("--step <span>", "combine points in steps this long; raw for none", readStep)
      .option("--agg <word>", `how: ${AGGREGATIONS.join(", ")}`, readAggregation)
      .option("--rate", "the growth a second, for counters: the same as --agg rate")
      .option(
        "--by <labels>",
        "one line for each value of these labels, with commas between",
        readNames,
      )
      .option(
        "--group <word>",
        `how series are combined: ${GROUPINGS.join(", ")}; avg when not given`,
        readGrouping,
      )
      .option("--ascii", "draw with nothing but ASCII")
      .option("--height <lines>", "lines of the chart", readCount(3))
      .addHelpText(
        "after",
        "\nUp to an hour, points are shown as they were measured; beyond, a chart combines them in steps.\nWith --json they are combined only when --step says so.",
      )
      .action((metric: string, options: QueryOptions) => query(cli, metric, options)),
    "lumetry metrics query system.cpu.load_average.1m",
    "lumetry metrics query system.network.io --since 6h --collector edge-lyon-1 --rate",
    "lumetry metrics query system.cpu.utilization --since 7d --by lumetry.collector_id --group max",
    "lumetry metrics query system.network.io --match 'device=~eth.*' --rate --group top5",
  );
  addCatalog(metrics, cli);
}

const momentReader = (cli: Cli) => (text: string) => readMoment(text, cli.now());

function readStep(text: string): number | "raw" {
  if (text === "raw") return "raw";
  const step = readSpan(text);
  if (step < 1_000) throw new InvalidArgumentError("It is shorter than 1s.");
  return step;
}

function latestTable(
  cli: Cli,
  metric: Metric | undefined,
  series: TimeSeries[],
  { common, names }: { common: string; names: string[] },
): string {
  const rows = series.map((each, index) => ({ ...each, name: names[index] ?? "" }));
  const lines = table(
    rows,
    [
      {
        title: "VALUE",
        value: ({ points }) =>
          valueText(points[0]?.value ?? Number.NaN, metric?.unit ?? "", metric?.metric ?? ""),
        align: "right",
        style: () => "bold",
      },
      { title: "AGE", value: ({ points }) => ageOf(points[0]?.time, cli.now()) },
      { title: "LABELS", value: ({ name }) => name, least: 20, rank: 1 },
    ],
    cli.terminal,
  );
  return common === "" ? lines : `${lines}\n\n${cli.terminal.paint(`all with ${common}`, "dim")}`;
}
