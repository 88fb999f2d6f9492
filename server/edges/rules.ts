import { fromJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  QueueHealth_Drop_Reason as DropReason,
  QueueHealthSchema,
} from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { HostSchema } from "../../gen/lumetry/edge/v1/host_pb.js";
import { EdgeStatus as Status } from "../../gen/lumetry/v1/edge_pb.js";
import { definedOnly } from "../../lib/defined.ts";
import { cutPage, type Page } from "../page.ts";
import type { EdgeRow, listContacts, listDrops, ProcessRow } from "./store.ts";
import type { EdgeStatus } from "./table.ts";

const STATUSES: Record<EdgeStatus, Status> = {
  pending: Status.PENDING,
  active: Status.ACTIVE,
  duplicate_suspected: Status.DUPLICATE_SUSPECTED,
  revoked: Status.REVOKED,
};

export const statusOf = (name: EdgeStatus): Status => STATUSES[name];

/** The database's name of a status; undefined for one that this release does not know. */
export function statusName(status: Status): EdgeStatus | undefined {
  const found = Object.entries(STATUSES).find(([, value]) => value === status);
  return found?.[0] as EdgeStatus | undefined;
}

export const ignoreUnknown = { ignoreUnknownFields: true };

const timestamp = (date: Date | null) => (date ? timestampFromDate(date) : undefined);

/** What a Collector and an Agent message have in common, by the contract's names. */
export function edgeFields(row: EdgeRow, processes: ProcessRow[]) {
  const ageMs = row.last_seen_at ? row.read_at.getTime() - row.last_seen_at.getTime() : undefined;
  const evidence = duplicateEvidence(row, processes);
  return {
    displayName: row.display_name,
    zoneId: row.zone_id,
    status: STATUSES[row.status],
    version: row.version,
    ...definedOnly({
      lastSeenTime: timestamp(row.last_seen_at),
      enrollTime: timestamp(row.enrolled_at),
      revokeTime: timestamp(row.revoked_at),
      credentialCreateTime: timestamp(row.credential_created_at),
      duplicateEvidence: evidence,
    }),
    ...(ageMs !== undefined && { lastSeenAge: durationFromMs(Math.max(0, ageMs)) }),
    ...(row.clock_skew_ms !== null && { clockSkew: durationFromMs(Math.round(row.clock_skew_ms)) }),
    ...(row.queue !== null && { queue: fromJson(QueueHealthSchema, row.queue, ignoreUnknown) }),
    ...(row.host !== null && { host: fromJson(HostSchema, row.host, ignoreUnknown) }),
    config: {
      latestRevision: row.latest_revision,
      offeredRevision: row.offered_revision ?? 0n,
      runningRevision: row.running_revision,
      rejected: row.config_outcome === "rejected",
      reason: row.config_reason ?? "",
      ignoredKeys: row.config_ignored_keys ?? [],
      profileRevision: row.config_profile_revision ?? 0n,
    },
    rotationRequested: row.rotation_requested_at !== null,
    processes: processes.map(toProcess),
  };
}

function toProcess(row: ProcessRow) {
  return {
    processId: row.process_id,
    hostname: row.hostname,
    address: row.address,
    version: row.version,
    firstSeenTime: timestampFromDate(row.first_seen_at),
    lastSeenTime: timestampFromDate(row.last_seen_at),
    sequence: row.sequence,
  };
}

export function duplicateEvidence(row: EdgeRow, processes: ProcessRow[]) {
  const find = (id: string | null) => processes.find((process) => process.process_id === id);
  const returned = find(row.suspected_returned);
  const replacement = find(row.suspected_replacement);
  if (!row.suspected_at || !returned || !replacement) return undefined;
  return {
    suspectTime: timestampFromDate(row.suspected_at),
    returned: toProcess(returned),
    replacement: toProcess(replacement),
    explanation: explain(returned, replacement),
  };
}

function explain(returned: ProcessRow, replacement: ProcessRow): string {
  const place = (process: ProcessRow) =>
    `${process.hostname || "an unnamed host"} (${process.address})`;
  const observed =
    returned.process_id === replacement.process_id
      ? `The process on ${place(returned)} counts its heartbeats over again, as a copy of a running machine would.`
      : `A process on ${place(returned)} goes on sending heartbeats after one on ${place(replacement)} took its place.`;
  return `${observed} Stop one of them and dismiss the suspicion; or, if the identity may have been stolen, revoke it and enroll a replacement.`;
}

/** A page of the times in which it was heard of. */
export function contactPage(found: Awaited<ReturnType<typeof listContacts>>, page: Page) {
  const { rows, nextPageToken } = cutPage(found, page, (row) => [String(row.contact_number)]);
  return {
    nextPageToken,
    contacts: rows.map((row) => ({
      startTime: timestampFromDate(row.started_at),
      endTime: timestampFromDate(row.ended_at),
      heartbeats: row.heartbeats,
    })),
  };
}

/** A page of the ledger of losses. */
export function dropPage(found: Awaited<ReturnType<typeof listDrops>>, page: Page) {
  const { rows, nextPageToken } = cutPage(found, page, (row) => [String(row.drop_number)]);
  return {
    nextPageToken,
    drops: rows.map((row) => ({
      dropId: row.drop_id,
      points: row.points,
      reason: DropReason[row.reason as keyof typeof DropReason] ?? DropReason.UNSPECIFIED,
      ...(row.started_at && { startTime: timestampFromDate(row.started_at) }),
      ...(row.ended_at && { endTime: timestampFromDate(row.ended_at) }),
    })),
  };
}
