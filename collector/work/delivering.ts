import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DeliverTask } from "../../gen/lumetry/edge/v1/work_pb.js";
import type { WorkReport_DeliveryResultSchema } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { Dialler } from "../../lib/egress/dialler.ts";
import { EgressFailure } from "../../lib/egress/failure.ts";
import { requestHttp } from "../../lib/egress/http.ts";
import { tlsOptions } from "./kinds/http.ts";
import { span } from "./span.ts";

type DeliveryResult = MessageInitShape<typeof WorkReport_DeliveryResultSchema>;

/** What a receiver says is read so that it hears the end of it, and told to nobody. */
const MOST_ANSWER_BYTES = 64 * 1024;
const MOST_RETRY_AFTER_MS = 86_400_000;

/** What "retry-after" asks for, in milliseconds; a number of seconds or a date. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MOST_RETRY_AFTER_MS);
}

/** Hands a notification to its receiver, once. Never throws. */
export async function deliver(
  task: DeliverTask,
  { dialler, budgetMs, signal }: { dialler: Dialler; budgetMs: number; signal: AbortSignal },
): Promise<DeliveryResult> {
  const begun = performance.now();
  const duration = () => span(performance.now() - begun);
  const ending = new AbortController();
  const budget = setTimeout(() => ending.abort(), budgetMs);
  try {
    const answer = await requestHttp(dialler, {
      method: "POST",
      url: task.url,
      headers: task.headers,
      body: task.body,
      mostBytes: MOST_ANSWER_BYTES,
      whenLonger: "cut",
      tls: tlsOptions(task.tls),
      signal: AbortSignal.any([signal, ending.signal]),
    });
    const wait = retryAfterMs(answer.headers["retry-after"]);
    return {
      httpStatus: answer.status,
      duration: duration(),
      ...(wait === undefined ? {} : { retryAfter: span(wait) }),
    };
  } catch (error) {
    const message =
      error instanceof EgressFailure ? error.message : `failed: ${(error as Error).message}`;
    return { failure: message.slice(0, 1_000), duration: duration() };
  } finally {
    clearTimeout(budget);
    ending.abort();
  }
}
