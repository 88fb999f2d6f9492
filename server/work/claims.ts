/**
 * The state machine of a claim, in single statements (see work_transitions in the database):
 *
 *   due → claimed → done | failed        by a report whose token holds
 *   claimed → due                        lapsed, given back, the next slot or the next attempt
 *   due | claimed → failed | expired     out of time, or nobody wants it any longer
 *
 * A claim is held by one process of one collector, under a fence that grows with every claim and a
 * token of which only the hash is stored. `holds_claim` in the database is the one place that says
 * whether it still is. All times are those of the database's clock.
 */
import type { Queries } from "../db/transaction.ts";
import { tellOfWork } from "./signals.ts";
import type { WorkKind } from "./table.ts";
import { type ClaimToken, hashAt, joinHashes } from "./tokens.ts";

/** How long a claim lasts unless it is renewed, and how long beyond its budget it may be. */
export const CLAIM_LEASE_MS = 30_000;
export const BEYOND_BUDGET_MS = 30_000;
/** Of a server that delivers itself; no id of a collector is the same. */
export const THE_SERVER = "server";

export interface Claimant {
  workspaceId: string;
  collectorId: string;
  zoneId: string;
  processId: string;
}

/** How many of each kind; none of a kind at zero. */
export interface Wanted {
  polls: number;
  tests: number;
  deliveries: number;
  /** Polls that are due so soon are claimed, too. */
  aheadMs: number;
}

export interface ClaimedItem {
  workId: string;
  kind: WorkKind;
  token: string;
  fence: bigint;
  budgetMs: number;
  subjectId: string;
  /** Of a poll: its slot, in ms since 1970; and how far off that is. */
  dueMs: number;
  startInMs: number;
  leaseMs: number;
  /** Of a test, sealed. */
  task: Buffer | null;
  attempts: number;
  /** Slots that passed before this one without a claim. */
  skippedNow: number;
  /** Of a poll. */
  assignmentRevision: bigint;
}

export interface Claims {
  /** False when the caller is no worker (any more): its lease ran out, or it was revoked. */
  isWorker: boolean;
  assignmentsRevision: bigint;
  items: ClaimedItem[];
}

const CLAIM = `
  with worker as materialized (
    -- Held until the claims are committed, so that a revocation finds them.
    select assignments_revision from workers
    where workspace_id = $1 and collector_id = $2 and lease_until > wall_clock()
    for key share
  ), tests as (
    select work_id, kind, due_at, every, origin from work_items
    where workspace_id = $1 and zone_id = $3 and kind = 'test' and state = 'due'
      and expires_at > (select wall_clock()) and exists (select from worker)
    order by due_at limit $5 for update skip locked
  ), deliveries as (
    select work_id, kind, due_at, every, origin from work_items
    where workspace_id = $1 and zone_id = $3 and kind = 'deliver' and state = 'due'
      and due_at <= (select wall_clock()) and exists (select from worker)
    order by due_at limit $6 for update skip locked
  ), polls as (
    select work_id, kind, due_at, every, origin from work_items
    where workspace_id = $1 and assigned_to = $2 and kind = 'poll' and state = 'due'
      and due_at <= (select wall_clock() + $8::float8 * interval '1 ms')
      and exists (select from worker)
    order by due_at limit $7 for update skip locked
  ), clock as materialized (
    select wall_clock() as now
  ), taken as materialized (
    select work_id, row_number() over () as place, due_at as was_due_at, every, now,
      -- Slots that were missed are skipped: the last one that has come is the one to be filled.
      greatest(due_at, date_bin(every, now, origin)) as slot
    from (select * from tests union all select * from deliveries union all select * from polls)
      as found cross join clock
  ), slots as (
    select *, case when every is null then 0
      else round(date_part('epoch', slot - was_due_at) / date_part('epoch', every)) end as skipped
    from taken
  ), claimed as (
    update work_items as item set
      state = 'claimed', fence = item.fence + 1, claimed_by = $2, process_id = $4,
      claimed_at = slots.now, due_at = slots.slot,
      token_hash = ${hashAt("$9", "slots.place")},
      skipped = item.skipped + slots.skipped,
      lease_until = slots.now + ${CLAIM_LEASE_MS} * interval '1 ms',
      lease_limit = greatest(slots.slot, slots.now)
        + (item.budget_ms + ${BEYOND_BUDGET_MS}) * interval '1 ms'
    from slots
    where item.workspace_id = $1 and item.work_id = slots.work_id
    returning item.work_id, item.kind, item.subject_id, item.fence, item.budget_ms, item.task,
      item.attempts, slots.place,
      round(date_part('epoch', item.due_at) * 1000) as due_ms,
      date_part('epoch', item.due_at - slots.now) * 1000 as start_in_ms,
      slots.skipped as skipped_now
  )
  -- Whoever waits for a test is told that it was taken.
  select worker.assignments_revision, claimed.*,
    case when claimed.kind = 'test' then ${tellOfWork("$1", "claimed.work_id")} end as told,
    (select revision from source_assignments as assignment
      where claimed.kind = 'poll' and assignment.workspace_id = $1
        and assignment.source_id = claimed.subject_id and assignment.ended_at is null
    ) as assignment_revision
  from (select) as once left join worker on true left join claimed on true`;

interface ClaimRow {
  assignments_revision: bigint | null;
  work_id: string | null;
  kind: WorkKind;
  subject_id: string;
  fence: bigint;
  budget_ms: bigint;
  task: Buffer | null;
  attempts: number;
  place: bigint;
  due_ms: number;
  start_in_ms: number;
  skipped_now: number;
  assignment_revision: bigint | null;
}

/**
 * Claims what is due, earliest first, at most as many as wanted. An item that somebody else is
 * claiming at this moment is passed over. `tokens` are as many as can be claimed.
 */
export async function claimWork(
  queries: Queries,
  claimant: Claimant,
  wanted: Wanted,
  tokens: readonly ClaimToken[],
): Promise<Claims> {
  const { rows } = await queries.query<ClaimRow>({
    name: "claim-work",
    text: CLAIM,
    values: [
      claimant.workspaceId,
      claimant.collectorId,
      claimant.zoneId,
      claimant.processId,
      wanted.tests,
      wanted.deliveries,
      wanted.polls,
      wanted.aheadMs,
      joinHashes(tokens.map(({ hash }) => hash)),
    ],
  });
  const revision = rows[0]?.assignments_revision ?? null;
  const items = rows.flatMap((row) => {
    if (row.work_id === null) return [];
    return {
      workId: row.work_id,
      kind: row.kind,
      token: tokens[Number(row.place) - 1]?.secret ?? "",
      fence: row.fence,
      budgetMs: Number(row.budget_ms),
      subjectId: row.subject_id,
      dueMs: row.due_ms,
      startInMs: row.start_in_ms,
      leaseMs: CLAIM_LEASE_MS,
      task: row.task,
      attempts: row.attempts,
      skippedNow: row.skipped_now,
      assignmentRevision: row.assignment_revision ?? 0n,
    };
  });
  return { isWorker: revision !== null, assignmentsRevision: revision ?? 0n, items };
}

/** When the next poll of a collector comes due, in ms from now; undefined if none will. */
export async function nextPollInMs(
  queries: Queries,
  { workspaceId, collectorId }: Claimant,
): Promise<number | undefined> {
  const { rows } = await queries.query<{ in_ms: number | null }>({
    name: "next-poll",
    text: `
      select (extract(epoch from min(due_at) - wall_clock()) * 1000)::float8 as in_ms
      from work_items
      where workspace_id = $1 and assigned_to = $2 and kind = 'poll' and state = 'due'`,
    values: [workspaceId, collectorId],
  });
  return rows[0]?.in_ms ?? undefined;
}
