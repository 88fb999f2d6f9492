import { create, toBinary } from "@bufbuild/protobuf";
import { WriteMetricsResponseSchema } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Appended } from "../log/log.ts";
import type { Refusals } from "./refusals.ts";

/** The answer as the log keeps it for repeats: nothing when nothing was refused. */
export function answerToKeep(accepted: number, refusals: Refusals): Buffer {
  if (refusals.points === 0) return Buffer.alloc(0);
  const response = create(WriteMetricsResponseSchema, {
    acceptedPoints: BigInt(accepted),
    refusedPoints: BigInt(refusals.points),
    refusals: refusals.lines,
  });
  return Buffer.from(toBinary(WriteMetricsResponseSchema, response));
}

/** Answers without a refusal, by the number of points. */
const plainAnswers = new Map<number, Uint8Array>();
const MOST_PLAIN_ANSWERS = 10_000;

/** The encoded WriteMetricsResponse to a batch that is in the log. */
export function answerOf({ accepted, answer }: Appended): Uint8Array {
  if (answer.length > 0) return answer;
  let bytes = plainAnswers.get(accepted);
  if (!bytes) {
    const response = create(WriteMetricsResponseSchema, { acceptedPoints: BigInt(accepted) });
    bytes = toBinary(WriteMetricsResponseSchema, response);
    if (plainAnswers.size < MOST_PLAIN_ANSWERS) plainAnswers.set(accepted, bytes);
  }
  return bytes;
}
