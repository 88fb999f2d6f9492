import { EnrollAgentResponse_Placement as Placement } from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import type { Database } from "../db/database.ts";
import { foldName } from "./names.ts";
import { keepNode, listNamesakes, type NodeRow } from "./store.ts";

/** Where a host asks to be: by the display name of a cluster, or by its exact external id. */
export type Wish =
  | { case: "clusterName"; value: string }
  | { case: "clusterId"; value: string }
  | { case: undefined; value?: undefined };

/** No name or id is longer, or has such characters: asking the database for one could only fail. */
const LONGEST = 128;
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

/**
 * Finds the place that a host asks for, in the transaction that puts it there. Whatever it asks
 * for, this does not fail.
 */
export async function place(
  db: Database,
  workspaceId: string,
  wish: Wish,
): Promise<{ placement: Placement; cluster?: NodeRow }> {
  const wanted = wish.value?.trim() ?? "";
  if (wanted === "") return { placement: Placement.NOT_ASKED };
  if (wanted.length > LONGEST || UNPRINTABLE.test(wanted))
    return { placement: Placement.NOT_FOUND };
  const found =
    wish.case === "clusterId"
      ? [await keepNode(db, workspaceId, wanted)].filter((node) => node !== undefined)
      : await listNamesakes(db, workspaceId, foldName(wanted));
  const [cluster, another] = found.filter(({ kind }) => kind === "cluster");
  if (another) return { placement: Placement.AMBIGUOUS };
  if (cluster) return { placement: Placement.PLACED, cluster };
  return { placement: found.length > 0 ? Placement.NOT_A_CLUSTER : Placement.NOT_FOUND };
}
