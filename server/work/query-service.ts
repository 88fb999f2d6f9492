import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  WorkItem_Kind as Kind,
  WorkItem_State as State,
  type WorkItemSchema,
  type WorkQueryService,
} from "../../gen/lumetry/v1/work_query_service_pb.js";
import { capabilitiesFromNames } from "../access/names.ts";
import { personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { cutPage, readPage } from "../page.ts";
import { THE_SERVER } from "./claims.ts";
import * as store from "./query-store.ts";
import type { WorkKind, WorkState } from "./table.ts";

const KINDS: Record<WorkKind, Kind> = {
  poll: Kind.POLL,
  test: Kind.TEST,
  deliver: Kind.DELIVER,
};
const STATES: Record<WorkState, State> = {
  due: State.DUE,
  claimed: State.CLAIMED,
  done: State.DONE,
  failed: State.FAILED,
  expired: State.EXPIRED,
};

const namesOf = <Name extends string, Value>(
  names: Record<Name, Value>,
  wanted: readonly Value[],
): Name[] =>
  Object.entries(names).flatMap(([name, value]) =>
    wanted.includes(value as Value) ? [name as Name] : [],
  );

function toWorkItem(row: store.WorkRow): MessageInitShape<typeof WorkItemSchema> {
  const late = row.read_at.getTime() - row.due_at.getTime();
  const claimant = row.state === "due" ? row.assigned_to : row.claimed_by;
  return {
    workId: row.work_id,
    kind: KINDS[row.kind],
    state: STATES[row.state],
    zoneId: row.zone_id ?? "",
    subjectId: row.subject_id,
    subjectName: row.subject_name ?? "",
    dueTime: timestampFromDate(row.due_at),
    ...(row.state === "due" && late > 0 && { lateness: durationFromMs(late) }),
    collectorId: claimant === null || claimant === THE_SERVER ? "" : claimant,
    ...(row.state === "claimed" && {
      processId: row.process_id ?? "",
      ...(row.claimed_at && { claimTime: timestampFromDate(row.claimed_at) }),
      ...(row.lease_until && {
        leaseLeft: durationFromMs(Math.max(0, row.lease_until.getTime() - row.read_at.getTime())),
      }),
    }),
    fence: row.fence,
    lapses: row.lapses,
  };
}

export function workQueryService(db: Database): ServiceImpl<typeof WorkQueryService> {
  return {
    async listWorkItems(request, context) {
      const page = readPage(request, 3);
      const found = await store.listWork(db, personOf(context).workspaceId, page, {
        zoneId: request.zoneId,
        kinds: namesOf(KINDS, request.kinds),
        states: namesOf(STATES, request.states),
      });
      const { rows, nextPageToken } = cutPage(found, page, (row) => [
        String(row.rank),
        row.due_text,
        row.work_id,
      ]);
      return { workItems: rows.map(toWorkItem), nextPageToken };
    },

    async listWorkers({ zoneId }, context) {
      const rows = await store.listWorkers(db, personOf(context).workspaceId, zoneId);
      return {
        workers: rows.map((row) => ({
          collectorId: row.collector_id,
          displayName: row.display_name,
          zoneId: row.zone_id,
          processId: row.process_id,
          capabilities: capabilitiesFromNames(row.capabilities),
          live: row.is_live,
          lastSeenAge: durationFromMs(row.read_at.getTime() - row.seen_at.getTime()),
          assignedSources: row.assigned,
          claimedItems: row.claimed,
          staleReports: row.stale_reports,
        })),
      };
    },
  };
}
