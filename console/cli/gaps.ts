import { timestampMs } from "@bufbuild/protobuf/wkt";
import { QueueHealth_Drop_Reason as Reason } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import type { Gap } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { clockText, counted } from "./words.ts";

const WORDS: Record<Reason, string> = {
  [Reason.UNSPECIFIED]: "for a reason that it did not tell",
  [Reason.LIMIT]: "for its queue was full and these were the oldest",
  [Reason.DAMAGE]: "for its disk returned something else than was written",
  [Reason.UNREADABLE]: "for the server could never accept them",
  [Reason.UNWRITTEN]: "for its disk did not take them, and its memory was full",
};
const MOST_LINES = 5;

/** What was lost, when and why, a line each. */
export function gapLines(gaps: readonly Gap[]): string[] {
  const lines = gaps.slice(0, MOST_LINES).map(({ senderId, points, reason, ...span }) => {
    const [from, to] = [span.startTime, span.endTime].map((time) =>
      time ? clockText(timestampMs(time)) : "unknown",
    );
    return `${senderId} lost ${counted(points, "point")} from ${from} to ${to}, ${WORDS[reason] ?? WORDS[0]}.`;
  });
  const more = gaps.length - MOST_LINES;
  return more > 0 ? [...lines, `${counted(more, "more loss")}es; see them with --json.`] : lines;
}
