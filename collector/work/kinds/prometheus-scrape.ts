import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { PrometheusScrape } from "../../../gen/lumetry/source/v1/settings_pb.js";
import { PollFailed } from "../findings.ts";
import { requestAsSet, requireDocument } from "./http.ts";
import type { Poll } from "./kind.ts";
import { Families } from "./prometheus-families.ts";
import { readPrometheusText, Unreadable } from "./prometheus-text.ts";

const DEFAULT_MOST_SAMPLES = 20_000;
const ACCEPT =
  "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.9,text/plain;q=0.5";

/** Answers that are certainly something else, such as a page to sign in. */
const OTHER_CONTENT = /^(text\/html|application\/(json|xml|vnd\.google\.protobuf))/i;

export const pollPrometheusScrape: Poll<PrometheusScrape> = async (settings, context) => {
  const { findings } = context;
  const answer = await requestAsSet(settings.http, context, { whenLonger: "fail", accept: ACCEPT });
  const text = requireDocument(answer);
  const content = answer.headers["content-type"] ?? "";
  if (OTHER_CONTENT.test(content)) {
    throw new PollFailed(`answers with ${content}, which is no format of Prometheus`);
  }
  findings.trace("parse", "reading the metrics");
  const most = settings.mostSamples || DEFAULT_MOST_SAMPLES;
  const prefixes = settings.metricPrefixes;
  const families = new Families();
  const names = new Set<string>();
  const { series } = findings;
  let unusable = 0;
  try {
    readPrometheusText(text, /openmetrics/i.test(content), {
      told: (what, family, words) => families.note(what, family, words),
      sample: ({ name, labels, value, time }) => {
        if (prefixes.length > 0 && !prefixes.some((prefix) => name.startsWith(prefix))) return;
        if (!Number.isFinite(value)) {
          unusable += 1;
          return;
        }
        if (series.length >= most) {
          throw new PollFailed(`has more than ${most.toLocaleString("en")} samples; none was kept`);
        }
        names.add(name);
        const kept = settings.keepTimestamps && time !== undefined;
        const point = kept ? { time: timestampFromMs(time), value } : { value };
        series.push({ metric: name, labels, points: [point] });
      },
    });
  } catch (error) {
    // Half of an exposition would look like series that ended.
    series.length = 0;
    throw error instanceof Unreadable ? new PollFailed(error.message) : error;
  }
  for (const name of names) findings.describe({ metric: name, ...families.meaningOf(name) });
  findings.fact("samples", String(series.length));
  if (unusable > 0) findings.fact("samples left out", `${unusable} are no finite number`);
};
