import { RE2JS } from "re2js";
import type {
  HttpCheck_BodyMatch as BodyMatch,
  HttpCheck,
  HttpCheck_StatusRange as StatusRange,
} from "../../../gen/lumetry/source/v1/settings_pb.js";
import { PollFailed } from "../findings.ts";
import { noteCertificate } from "./certificate.ts";
import { requestAsSet } from "./http.ts";
import type { Poll } from "./kind.ts";

/** Expressions run in linear time, and still hold up everything else while they do. */
const MOST_MATCHED_CHARACTERS = 512 * 1024;

const isExpected = (status: number, ranges: StatusRange[]) =>
  ranges.length === 0
    ? status >= 200 && status <= 299
    : ranges.some(({ first, last }) => status >= first && status <= (last || first));

function holds(body: string, { pattern }: BodyMatch): boolean {
  if (pattern.case === "contains") return body.includes(pattern.value);
  if (pattern.case !== "regex") return true;
  try {
    return RE2JS.compile(pattern.value).matcher(body).find();
  } catch (error) {
    throw new PollFailed(
      `the expression ${JSON.stringify(pattern.value)} cannot be read: ${(error as Error).message}`,
    );
  }
}

const shown = ({ pattern }: BodyMatch) =>
  pattern.case === "regex" ? `/${pattern.value}/` : JSON.stringify(pattern.value);

export const pollHttpCheck: Poll<HttpCheck> = async (settings, context) => {
  const { findings } = context;
  const answer = await requestAsSet(settings.http, context, { whenLonger: "cut" });
  for (const [phase, ms] of findings.phases) {
    findings.gauge(
      "http.phase.duration",
      ms / 1000,
      { unit: "s", description: "How long a phase of an HTTP exchange took" },
      { phase },
    );
  }
  findings.gauge("http.response.status_code", answer.status, {
    unit: "1",
    description: "The status that the server answered with",
  });
  findings.gauge("http.response.body.size", answer.body.length, {
    unit: "By",
    description: "The size of the answer's body as far as it was read, decompressed",
  });
  if (answer.certificate) noteCertificate(answer.certificate, findings);
  if (!isExpected(answer.status, settings.expectedStatuses)) {
    throw new PollFailed(`answered with status ${answer.status}, which is not expected`);
  }
  if (settings.bodyMatches.length === 0) return;
  findings.trace("match", "looking through the body");
  const body = answer.body.toString("utf8").slice(0, MOST_MATCHED_CHARACTERS);
  for (const match of settings.bodyMatches) {
    if (holds(body, match) !== match.absent) continue;
    throw new PollFailed(
      match.absent
        ? `the body holds ${shown(match)}, which it must not`
        : `the body does not hold ${shown(match)}${answer.isCut ? " in the part that was read" : ""}`,
    );
  }
};
