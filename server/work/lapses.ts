import type { Queries } from "../db/transaction.ts";
import { SERVER_TOPIC, workTopic, zoneTopic } from "./signals.ts";

/** What happened to items without anybody's doing. */
export interface Lapsed {
  workspaceId: string;
  workId: string;
  kind: "poll" | "test" | "deliver";
  zoneId: string | null;
  subjectId: string;
  state: "due" | "failed" | "expired";
  claimedBy: string | null;
}

interface Row {
  workspace_id: string;
  work_id: string;
  kind: Lapsed["kind"];
  zone_id: string | null;
  subject_id: string;
  state: Lapsed["state"];
  claimed_by: string | null;
}

const toLapsed = (row: Row): Lapsed => ({
  workspaceId: row.workspace_id,
  workId: row.work_id,
  kind: row.kind,
  zoneId: row.zone_id,
  subjectId: row.subject_id,
  state: row.state,
  claimedBy: row.claimed_by,
});

/** Whom it concerns: who waits for the item, and who could do it. */
export const topicsOf = ({ kind, state, workspaceId, workId, zoneId }: Lapsed): string[] => [
  ...(kind === "poll" ? [] : [workTopic(workspaceId, workId)]),
  ...(state !== "due" || kind === "poll"
    ? []
    : [zoneId === null ? SERVER_TOPIC : zoneTopic(workspaceId, zoneId)]),
];

const MOST_AT_ONCE = 1_000;

/**
 * Takes claims whose lease ran out from their holders: somebody else may have the item. One that
 * may not be begun any more ends. Safe on any number of servers at once.
 */
export async function lapseClaims(queries: Queries): Promise<Lapsed[]> {
  const { rows } = await queries.query<Row>({
    name: "lapse-claims",
    text: `
      with lapsed as (
        select workspace_id, work_id from work_items
        where state = 'claimed' and lease_until < (select wall_clock())
        order by lease_until limit ${MOST_AT_ONCE} for update skip locked
      )
      update work_items as item set
        state = case when expires_at > wall_clock() or expires_at is null then 'due'
          when kind = 'deliver' then 'failed' else 'expired' end,
        ended_at = case when expires_at <= wall_clock() then wall_clock() end,
        task = case when expires_at <= wall_clock() then null else task end,
        token_hash = null, lease_until = null, lease_limit = null, lapses = lapses + 1
      from lapsed
      where item.workspace_id = lapsed.workspace_id and item.work_id = lapsed.work_id
      returning item.workspace_id, item.work_id, kind, zone_id, subject_id, state, claimed_by`,
  });
  return rows.map(toLapsed);
}

/** Ends items that nobody began in time. */
export async function expireWork(queries: Queries): Promise<Lapsed[]> {
  const { rows } = await queries.query<Row>({
    name: "expire-work",
    text: `
      with late as (
        select workspace_id, work_id from work_items
        where state = 'due' and expires_at is not null and expires_at <= (select wall_clock())
        order by expires_at limit ${MOST_AT_ONCE} for update skip locked
      )
      update work_items as item set
        state = case kind when 'deliver' then 'failed' else 'expired' end,
        ended_at = wall_clock(), task = null
      from late
      where item.workspace_id = late.workspace_id and item.work_id = late.work_id
      returning item.workspace_id, item.work_id, kind, zone_id, subject_id, state, claimed_by`,
  });
  return rows.map(toLapsed);
}

/** Takes everything from one collector at once: it was revoked. */
export async function endClaimsOf(
  queries: Queries,
  workspaceId: string,
  collectorId: string,
): Promise<Lapsed[]> {
  const { rows } = await queries.query<Row>(
    `with held as (
        select work_id from work_items
        where workspace_id = $1 and claimed_by = $2 and state = 'claimed'
        order by work_id for update
      )
      update work_items as item set
        state = 'due', token_hash = null, lease_until = null, lease_limit = null, lapses = lapses + 1
      from held where item.workspace_id = $1 and item.work_id = held.work_id
      returning item.workspace_id, item.work_id, kind, zone_id, subject_id, state, claimed_by`,
    [workspaceId, collectorId],
  );
  return rows.map(toLapsed);
}
