import type { Queries } from "../db/transaction.ts";
import { isDelivered, type Outcome } from "./retry.ts";

export interface Attempt {
  workspaceId: string;
  deliveryId: string;
  /** Undefined for the server itself. */
  collectorId: string | undefined;
  outcome: Outcome;
}

/** Writes attempts into the log of deliveries; belongs into the transaction that ends their claims. */
export async function recordAttempts(
  queries: Queries,
  attempts: readonly Attempt[],
): Promise<void> {
  await queries.query({
    name: "record-attempts",
    text: `
      insert into delivery_attempts
        (workspace_id, delivery_id, collector_id, http_status, failure, duration_ms)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::float8[])`,
    values: [
      attempts.map(({ workspaceId }) => workspaceId),
      attempts.map(({ deliveryId }) => deliveryId),
      attempts.map(({ collectorId }) => collectorId ?? null),
      attempts.map(({ outcome }) => outcome.httpStatus),
      attempts.map(({ outcome }) => wordsFor(outcome)),
      attempts.map(({ outcome }) => outcome.durationMs ?? null),
    ],
  });
}

function wordsFor(outcome: Outcome): string {
  if (isDelivered(outcome)) return outcome.failure;
  return outcome.failure || `the receiver answered with status ${outcome.httpStatus}`;
}
