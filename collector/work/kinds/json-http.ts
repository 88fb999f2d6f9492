import { MetricMetadata_Kind as Kind } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type {
  JsonHttp,
  JsonHttp_Metric as Metric,
} from "../../../gen/lumetry/source/v1/settings_pb.js";
import { type Findings, PollFailed } from "../findings.ts";
import { requestAsSet, requireDocument } from "./http.ts";
import { type Found, findAll, findOne, readJsonPath } from "./json-path.ts";
import type { Poll } from "./kind.ts";
import { readNumber } from "./number.ts";

const MOST_VALUES = 20_000;
const MOST_LABEL_BYTES = 1_024;

function labelText(document: unknown, rule: string, chosen: Found["chosen"]): string {
  if (rule.startsWith("=")) return rule.slice(1);
  const value = findOne(document, readJsonPath(rule), chosen);
  if (value === undefined || value === null || typeof value === "object") return "";
  return String(value).slice(0, MOST_LABEL_BYTES / 4);
}

function take(metric: Metric, document: unknown, findings: Findings): void {
  const found = findAll(document, readJsonPath(metric.path));
  let taken = 0;
  for (const { value, chosen } of found) {
    const number = readNumber(value);
    if (number === undefined) {
      if (value === null) continue;
      throw new PollFailed(`${metric.path} leads to something that is no number`);
    }
    const labels = Object.fromEntries(
      Object.entries(metric.labels).map(([name, rule]) => [
        name,
        labelText(document, rule, chosen),
      ]),
    );
    findings.series.push({ metric: metric.metric, labels, points: [{ value: number }] });
    taken += 1;
    if (findings.series.length > MOST_VALUES) throw new PollFailed("has more than 20,000 values");
  }
  if (taken === 0 && !metric.optional) throw new PollFailed(`there is nothing at ${metric.path}`);
  findings.describe({
    metric: metric.metric,
    kind: metric.kind || Kind.GAUGE,
    unit: metric.unit,
    description: metric.description,
  });
}

export const pollJsonHttp: Poll<JsonHttp> = async (settings, context) => {
  const { findings } = context;
  const accept = "application/json";
  const answer = await requestAsSet(settings.http, context, { whenLonger: "fail", accept });
  const text = requireDocument(answer);
  findings.trace("parse", "reading the document");
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new PollFailed(`answers with what is no JSON: ${JSON.stringify(text.slice(0, 60))}`);
  }
  for (const metric of settings.metrics) {
    try {
      take(metric, document, findings);
    } catch (error) {
      if (error instanceof PollFailed) throw error;
      throw new PollFailed(`metric ${metric.metric}: ${(error as Error).message}`);
    }
  }
};
