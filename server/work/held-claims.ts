/** What the holder of a claim does with it; see claims.ts for how it came to be. */
import type { Queries } from "../db/transaction.ts";
import { CLAIM_LEASE_MS, type Claimant } from "./claims.ts";
import { tellOfWork } from "./signals.ts";
import type { WorkKind } from "./table.ts";
import { hashAt, joinHashes } from "./tokens.ts";

/** A claim as its holder names it. */
export interface NamedClaim {
  workId: string;
  fence: bigint;
  tokenHash: Buffer;
}

const named = (claims: readonly NamedClaim[]) => [
  claims.map(({ workId }) => workId),
  claims.map(({ fence }) => fence),
  joinHashes(claims.map(({ tokenHash }) => tokenHash)),
];

/**
 * Renews claims up to their limit. How long each now lasts, in ms; undefined for those that are lost.
 */
export async function renewClaims(
  queries: Queries,
  holder: Omit<Claimant, "zoneId">,
  claims: readonly NamedClaim[],
): Promise<(number | undefined)[]> {
  const { rows } = await queries.query<{ place: bigint; lease_ms: number }>({
    name: "renew-claims",
    text: `
      with held as (
        select item.work_id, given.place
        from unnest($4::text[], $5::bigint[]) with ordinality as given (work_id, fence, place)
          join work_items as item on item.workspace_id = $1 and item.work_id = given.work_id
        where holds_claim(item, $2, $3, given.fence, ${hashAt("$6", "given.place")})
        order by item.work_id for update of item
      )
      update work_items as item set
        lease_until = least(wall_clock() + ${CLAIM_LEASE_MS} * interval '1 ms', item.lease_limit)
      from held where item.workspace_id = $1 and item.work_id = held.work_id
      returning held.place,
        (extract(epoch from item.lease_until - wall_clock()) * 1000)::float8 as lease_ms`,
    values: [holder.workspaceId, holder.collectorId, holder.processId, ...named(claims)],
  });
  const leases = new Map(rows.map((row) => [Number(row.place) - 1, row.lease_ms]));
  return claims.map((_, index) => leases.get(index));
}

/** What becomes of an item by a report. */
export interface Ending {
  claim: NamedClaim;
  /** Of a poll, "done" and "failed" lead to its next slot. */
  state: "due" | "done" | "failed";
  /** Until it is due again: the next attempt, or the first slot from then on. */
  againInMs: number;
  /** It was given back: the same slot, the same attempt, for somebody else. */
  released?: boolean;
  /** Of a test. */
  result?: Buffer;
}

export interface SpentClaim {
  index: number;
  kind: WorkKind;
  subjectId: string;
  slotMs: number;
  attempts: number;
  zoneId: string | null;
}

/**
 * Spends claims: each item whose claim holds goes to the state given for it, and whoever waits for a
 * test is told. Answers those; for all others nothing happened. Belongs into one transaction with the effect.
 */
export async function spendClaims(
  queries: Queries,
  holder: Omit<Claimant, "zoneId">,
  endings: readonly Ending[],
): Promise<SpentClaim[]> {
  const { rows } = await queries.query<{
    place: bigint;
    kind: WorkKind;
    subject_id: string;
    slot_ms: number;
    attempts: number;
    zone_id: string | null;
  }>({
    name: "spend-claims",
    text: `
      with held as (
        select item.work_id, item.due_at as slot, item.kind, item.every, item.origin,
          given.place, given.state, given.again_in_ms, given.released, given.result
        from unnest($4::text[], $5::bigint[], $7::text[], $8::float8[], $9::boolean[], $10::bytea[])
            with ordinality as given
              (work_id, fence, state, again_in_ms, released, result, place)
          join work_items as item on item.workspace_id = $1 and item.work_id = given.work_id
        where holds_claim(item, $2, $3, given.fence, ${hashAt("$6", "given.place")})
        order by item.work_id for update of item
      ), next as (
        select *, case
          when released then slot
          when kind = 'poll' then greatest(slot + every, case when again_in_ms > 0 then
            date_bin(every, wall_clock() + again_in_ms * interval '1 ms' + every
              - interval '1 microsecond', origin) end)
          when state = 'due' then wall_clock() + again_in_ms * interval '1 ms'
          else slot end as due_at
        from held
      )
      update work_items as item set
        state = case when next.kind = 'poll' then 'due' else next.state end,
        due_at = next.due_at,
        ended_at = case when next.kind <> 'poll' and next.state <> 'due' then wall_clock() end,
        token_hash = null, lease_until = null, lease_limit = null,
        spent_hash = item.token_hash, lapses = 0,
        attempts = item.attempts
          + case when next.kind = 'deliver' and not next.released then 1 else 0 end,
        -- What is passed over because the source is slow was skipped, too.
        skipped = item.skipped + case when next.kind = 'poll' and not next.released then
          round(date_part('epoch', next.due_at - next.slot - next.every)
            / date_part('epoch', next.every)) else 0 end,
        task = case when next.state = 'due' then item.task end,
        result = next.result
      from next where item.workspace_id = $1 and item.work_id = next.work_id
      returning next.place, item.kind, item.subject_id, item.attempts, item.zone_id,
        round(date_part('epoch', next.slot) * 1000) as slot_ms,
        case when item.kind = 'test' then ${tellOfWork("$1", "item.work_id")} end as told`,
    values: [
      holder.workspaceId,
      holder.collectorId,
      holder.processId,
      ...named(endings.map(({ claim }) => claim)),
      endings.map(({ state }) => state),
      endings.map(({ againInMs }) => againInMs),
      endings.map(({ released }) => released === true),
      endings.map(({ result }) => result ?? null),
    ],
  });
  return rows.map((row) => ({
    index: Number(row.place) - 1,
    kind: row.kind,
    subjectId: row.subject_id,
    slotMs: row.slot_ms,
    attempts: row.attempts,
    zoneId: row.zone_id,
  }));
}

/** A claim that holds at this moment, and what it is about. */
export interface FoundClaim {
  index: number;
  kind: WorkKind;
  subjectId: string;
  slotMs: number;
  attempts: number;
  /** Until it may not be begun any more; undefined when it always may. */
  expiresInMs: number | undefined;
  /** Of its source; undefined when that is gone, and of everything but a poll. */
  labels: Record<string, string> | undefined;
}

/** Which of the claims hold at this moment; nothing is locked. */
export async function findClaims(
  queries: Queries,
  holder: Omit<Claimant, "zoneId">,
  claims: readonly NamedClaim[],
): Promise<FoundClaim[]> {
  const { rows } = await queries.query<{
    place: bigint;
    kind: WorkKind;
    subject_id: string;
    slot_ms: number;
    attempts: number;
    expires_in_ms: number | null;
    labels: Record<string, string> | null;
  }>({
    name: "find-claims",
    text: `
      select given.place, item.kind, item.subject_id, item.attempts,
        round(date_part('epoch', item.due_at) * 1000) as slot_ms,
        date_part('epoch', item.expires_at - wall_clock()) * 1000 as expires_in_ms,
        (select labels from sources where item.kind = 'poll' and sources.workspace_id = $1
          and sources.source_id = item.subject_id) as labels
      from unnest($4::text[], $5::bigint[]) with ordinality as given (work_id, fence, place)
        join work_items as item on item.workspace_id = $1 and item.work_id = given.work_id
      where holds_claim(item, $2, $3, given.fence, ${hashAt("$6", "given.place")})`,
    values: [holder.workspaceId, holder.collectorId, holder.processId, ...named(claims)],
  });
  return rows.map((row) => ({
    index: Number(row.place) - 1,
    kind: row.kind,
    subjectId: row.subject_id,
    slotMs: row.slot_ms,
    attempts: row.attempts,
    expiresInMs: row.expires_in_ms ?? undefined,
    labels: row.labels ?? undefined,
  }));
}

/**
 * Which of the claims were spent by a report that was accepted, by their place; counts all of them
 * as stale with the sources they are about.
 */
export async function countLostClaims(
  queries: Queries,
  { workspaceId, collectorId }: Omit<Claimant, "zoneId" | "processId">,
  claims: readonly NamedClaim[],
): Promise<Set<number>> {
  const { rows } = await queries.query<{ place: bigint; spent: boolean }>({
    name: "count-lost-claims",
    text: `
      with lost as (
        select given.place, item.kind, item.subject_id,
          item.spent_hash is not distinct from given.token_hash as spent
        from unnest($3::text[], $4::bytea[])
            with ordinality as given (work_id, token_hash, place)
          join work_items as item on item.workspace_id = $1 and item.work_id = given.work_id
      ), of_source as (
        update source_polls as polls set stale = stale + counted.reports
        from (select subject_id, count(*) as reports from lost
          where kind = 'poll' and not spent group by subject_id) as counted
        where polls.workspace_id = $1 and polls.source_id = counted.subject_id
      ), of_worker as (
        update workers set stale_reports = stale_reports
          + cardinality($3::text[]) - (select count(*) from lost where spent)
        where workspace_id = $1 and collector_id = $2
      )
      select place, spent from lost`,
    values: [
      workspaceId,
      collectorId,
      claims.map(({ workId }) => workId),
      claims.map(({ tokenHash }) => tokenHash),
    ],
  });
  return new Set(rows.flatMap((row) => (row.spent ? [Number(row.place) - 1] : [])));
}
