import type pg from "pg";
import { hashSecret } from "../../lib/secret.ts";
import type { Queries } from "../db/transaction.ts";
import { inTransaction } from "../db/transaction.ts";
import { CLAIM_LEASE_MS, THE_SERVER } from "../work/claims.ts";
import { spendClaims } from "../work/held-claims.ts";
import { notify, workTopic } from "../work/signals.ts";
import type { ClaimToken } from "../work/tokens.ts";
import { recordAttempts } from "./attempts.ts";
import { nextAttempt, type Outcome } from "./retry.ts";

/** A delivery that the server itself has claimed. */
export interface ClaimedDelivery {
  workspaceId: string;
  workId: string;
  deliveryId: string;
  fence: bigint;
  token: string;
  attempts: number;
  /** Until it is given up. */
  leftMs: number;
}

/** Most attempts to one channel at a time: a receiver that hangs leaves room for the others. */
const MOST_OF_A_CHANNEL = 4;
/** The server's attempts take no longer than one lease, so they are never renewed. */
const LEASE_MS = CLAIM_LEASE_MS;

/** What a server without a mail server leaves to others. */
const IS_MINE = `($1::boolean or not exists (select from channels as mail
  where mail.workspace_id = delivery.workspace_id and mail.channel_id = delivery.channel_id
    and mail.kind = 'email'))`;

/** Claims deliveries that are the server's to make, earliest first; as many as there are tokens. */
export async function claimDeliveries(
  queries: Queries,
  { processId, canMail }: { processId: string; canMail: boolean },
  tokens: readonly ClaimToken[],
): Promise<ClaimedDelivery[]> {
  const { rows } = await queries.query<{
    workspace_id: string;
    work_id: string;
    subject_id: string;
    fence: bigint;
    place: bigint;
    attempts: number;
    left_ms: number;
  }>({
    name: "claim-deliveries",
    text: `
      with due as (
        select item.workspace_id, work_id, delivery.channel_id, due_at,
          row_number() over (partition by delivery.workspace_id, delivery.channel_id
            order by due_at) as of_channel
        from (select workspace_id, work_id, subject_id, due_at from work_items
          where kind = 'deliver' and state = 'due' and zone_id is null
            and due_at <= (select wall_clock())
          order by due_at limit 1000) as item
        join deliveries as delivery on delivery.workspace_id = item.workspace_id
          and delivery.delivery_id = item.subject_id
        where ${IS_MINE}
      ), busy as (
        select delivery.workspace_id, delivery.channel_id, count(*) as claimed
        from work_items as item join deliveries as delivery
          on delivery.workspace_id = item.workspace_id and delivery.delivery_id = item.subject_id
        where item.state = 'claimed' and item.kind = 'deliver' and item.zone_id is null
        group by 1, 2
      ), open as (
        select workspace_id, work_id from due left join busy using (workspace_id, channel_id)
        where of_channel + coalesce(claimed, 0) <= ${MOST_OF_A_CHANNEL}
        order by due_at limit cardinality($4::bytea[])
      ), taken as materialized (
        select workspace_id, work_id, row_number() over () as place from (
          select item.workspace_id, item.work_id from work_items as item
          join open using (workspace_id, work_id)
          where item.state = 'due' and item.due_at <= (select wall_clock())
          for update of item skip locked
        ) as locked
      )
      update work_items as item set
        state = 'claimed', fence = fence + 1, claimed_by = $2, process_id = $3,
        claimed_at = wall_clock(), token_hash = ($4::bytea[])[taken.place],
        lease_until = wall_clock() + ${LEASE_MS} * interval '1 ms',
        lease_limit = wall_clock() + ${LEASE_MS} * interval '1 ms'
      from taken
      where item.workspace_id = taken.workspace_id and item.work_id = taken.work_id
      returning item.workspace_id, item.work_id, subject_id, fence, place, attempts,
        (extract(epoch from expires_at - wall_clock()) * 1000)::float8 as left_ms`,
    values: [canMail, THE_SERVER, processId, tokens.map(({ hash }) => hash)],
  });
  return rows.map((row) => ({
    workspaceId: row.workspace_id,
    workId: row.work_id,
    deliveryId: row.subject_id,
    fence: row.fence,
    token: tokens[Number(row.place) - 1]?.secret ?? "",
    attempts: row.attempts,
    leftMs: row.left_ms,
  }));
}

/** When the next delivery of the server's comes due, in ms from now; undefined if none will. */
export async function nextDeliveryInMs(
  queries: Queries,
  canMail: boolean,
): Promise<number | undefined> {
  const { rows } = await queries.query<{ in_ms: number | null }>({
    name: "next-delivery",
    text: `
      select (extract(epoch from min(due_at) - wall_clock()) * 1000)::float8 as in_ms
      from work_items as item join deliveries as delivery
        on delivery.workspace_id = item.workspace_id and delivery.delivery_id = item.subject_id
      where item.kind = 'deliver' and state = 'due' and zone_id is null and ${IS_MINE}`,
    values: [canMail],
  });
  return rows[0]?.in_ms ?? undefined;
}

/** Ends a claim with what the attempt came to. False when the claim was lost meanwhile. */
export function reportDelivery(
  pool: pg.Pool,
  processId: string,
  claimed: ClaimedDelivery,
  outcome: Outcome,
): Promise<boolean> {
  const { workspaceId, workId, fence, token, deliveryId } = claimed;
  const next = nextAttempt(outcome, claimed.attempts + 1, claimed.leftMs);
  return inTransaction(pool, async (queries) => {
    const reporter = { workspaceId, collectorId: THE_SERVER, processId };
    const claim = { workId, fence, tokenHash: hashSecret(token) };
    const againInMs = next.state === "due" ? next.waitMs : 0;
    const spent = await spendClaims(queries, reporter, [{ claim, state: next.state, againInMs }]);
    if (spent.length === 0) return false;
    await recordAttempts(queries, [{ workspaceId, deliveryId, collectorId: undefined, outcome }]);
    await notify(queries, [workTopic(workspaceId, workId)]);
    return true;
  });
}
