import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ReactNode } from "react";
import { Age } from "../ui/age.tsx";
import { counted } from "../words/counts.ts";
import { clockText } from "../words/moments.ts";
import { configText, type Edge, fullText, queueText, Skew, skewText } from "./words.tsx";

type Entries = [name: string, value: ReactNode][];

/** How an edge's queue, clock, configuration and credential are. */
export function healthFacts(edge: Edge): Entries {
  const { queue, config } = edge;
  return [
    ["Queue", queueText(queue) || "not reported yet"],
    [
      "Oldest point",
      queue?.oldestPointTime && queue.queuedPoints > 0n && <Age time={queue.oldestPointTime} />,
    ],
    ["Time to full", queue && (fullText(queue).replace("full in ", "") || "it does not grow")],
    [
      "Dropped",
      queue && (
        <span className={queue.droppedPoints > 0n ? "warn" : undefined}>
          {counted(queue.droppedPoints, "point")}
        </span>
      ),
    ],
    ["Refused", queue && queue.refusedPoints > 0n && counted(queue.refusedPoints, "point")],
    ["Clock skew", skewText(edge) !== "" && <Skew edge={edge} />],
    ["Configuration", configText(edge)],
    ["Rejected because", config?.rejected && config.reason],
    ["Ignored keys", config?.ignoredKeys.join(", ")],
    [
      "Credential",
      edge.credentialCreateTime && (
        <>
          issued <Age time={edge.credentialCreateTime} />
          {edge.rotationRequested && ", to be replaced"}
        </>
      ),
    ],
    ["Last heartbeat", edge.lastSeenTime && clockText(timestampMs(edge.lastSeenTime))],
  ];
}
