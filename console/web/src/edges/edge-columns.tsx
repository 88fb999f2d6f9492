import { Link } from "wouter";
import { EdgeOrder } from "../../../../gen/lumetry/v1/edge_pb.js";
import { Icon } from "../ui/icon.tsx";
import type { Column } from "../ui/table.tsx";
import { Tip } from "../ui/tip.tsx";
import { countText } from "../words/counts.ts";
import { configText, type Edge, fullText, idOf, LastSeen, Skew, StatusTag } from "./words.tsx";

/** Whether the natural order of a column goes down, such as newest first. */
export const isDescending = (by: number) => by !== EdgeOrder.DISPLAY_NAME;

/** What lists of collectors and of agents have in common; `middle` is what each has of its own. */
export function edgeColumns<Row extends Edge>(path: string, middle: Column<Row>[]): Column<Row>[] {
  return [
    {
      title: "Name",
      sort: EdgeOrder.DISPLAY_NAME,
      width: "22%",
      cell: (edge) => (
        <span className="cut">
          <Link className="foreign" href={`${path}/${idOf(edge)}`} tabIndex={-1}>
            {edge.displayName}
          </Link>
          {edge.host && edge.host.hostname !== edge.displayName && (
            <span className="soft foreign"> {edge.host.hostname}</span>
          )}
        </span>
      ),
    },
    {
      title: "Status",
      width: "19%",
      cell: (edge) => (
        <span className="matter">
          <StatusTag edge={edge} />
          {edge.attention.length > 0 && (
            <Tip text={edge.attention.map(({ message }) => message).join(" ")}>
              <span className="warn matter" role="img" aria-label="needs attention">
                <Icon name="warning" size={14} />
              </span>
            </Tip>
          )}
        </span>
      ),
    },
    {
      title: "Last seen",
      sort: EdgeOrder.LAST_SEEN_TIME,
      width: "13%",
      cell: (edge) => <LastSeen edge={edge} />,
    },
    ...middle,
    { title: "Version", rank: 3, width: "8%", cell: ({ version }) => version },
    {
      title: "Queued",
      number: true,
      rank: 1,
      sort: EdgeOrder.QUEUED_POINTS,
      width: "10%",
      cell: ({ queue }) =>
        queue && (
          <Tip text={fullText(queue) || "The queue does not grow"}>
            <span className={queue.timeToFull ? "warn" : undefined}>
              {countText(queue.queuedPoints)}
            </span>
          </Tip>
        ),
    },
    {
      title: "Dropped",
      number: true,
      rank: 2,
      width: "8%",
      cell: ({ queue }) =>
        queue && (
          <span className={queue.droppedPoints > 0n ? "warn" : "soft"}>
            {countText(queue.droppedPoints)}
          </span>
        ),
    },
    {
      title: "Skew",
      number: true,
      rank: 3,
      width: "8%",
      cell: (edge) => <Skew edge={edge} />,
    },
    {
      title: "Config",
      rank: 3,
      width: "9%",
      cell: (edge) => (
        <span className={edge.config?.rejected ? "bad" : undefined}>{configText(edge)}</span>
      ),
    },
  ];
}
