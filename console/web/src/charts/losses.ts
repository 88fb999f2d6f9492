import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { QueueHealth_Drop_Reason as Reason } from "../../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { counted } from "../words/counts.ts";
import type { Loss } from "./series-chart.tsx";

/** Why points were lost, as the command line says it. */
const WORDS: Record<Reason, string> = {
  [Reason.UNSPECIFIED]: "for a reason that it did not tell",
  [Reason.LIMIT]: "for its queue was full and these were the oldest",
  [Reason.DAMAGE]: "for its disk returned something else than was written",
  [Reason.UNREADABLE]: "for the server could never accept them",
  [Reason.UNWRITTEN]: "for its disk did not take them, and its memory was full",
};

/** A time in which points were lost, as charts show it. */
export function lossesOf(
  lost: {
    startTime?: Timestamp | undefined;
    endTime?: Timestamp | undefined;
    points: bigint;
    reason: Reason;
    senderId?: string;
  }[],
  nameOf: (senderId: string) => string = () => "",
): Loss[] {
  return lost.flatMap(({ startTime, endTime, points, reason, senderId = "" }) => {
    if (!startTime || !endTime) return [];
    const who = senderId === "" ? "It" : nameOf(senderId);
    const what = `${who} lost ${counted(points, "point")}, ${WORDS[reason] ?? WORDS[0]}`;
    return [{ from: timestampMs(startTime), to: timestampMs(endTime), reason: what }];
  });
}
