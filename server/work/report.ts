import { toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type pg from "pg";
import type { WorkClaim } from "../../gen/lumetry/edge/v1/work_pb.js";
import type { WorkReport } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { WriteMetricsResponse } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { type Reading, ReadingSchema } from "../../gen/lumetry/source/v1/reading_pb.js";
import { hashSecret } from "../../lib/secret.ts";
import { type Attempt, recordAttempts } from "../channels/attempts.ts";
import { nextAttempt, toOutcome } from "../channels/retry.ts";
import { brokenConstraint } from "../db/database.ts";
import { inTransaction, type Queries } from "../db/transaction.ts";
import type { Ingest } from "../ingest/write.ts";
import { findBatches, KNOWN_BATCH } from "../log/store.ts";
import type { Claimant } from "./claims.ts";
import {
  countLostClaims,
  type Ending,
  type FoundClaim,
  findClaims,
  type NamedClaim,
  type SpentClaim,
  spendClaims,
} from "./held-claims.ts";
import { prepareReading, type SlotReading, slotName, storeReadings } from "./readings.ts";
import { notify, workTopic } from "./signals.ts";

/** Whoever reports: one process of one collector. */
export type Reporter = Omit<Claimant, "zoneId">;

/** What became of a report. */
export type Verdict =
  | { kind: "accepted"; written?: WriteMetricsResponse }
  | { kind: "stale" | "spent" | "taken" }
  | { kind: "misfit"; message: string };

export const nameClaim = (claim: WorkClaim | undefined): NamedClaim => ({
  workId: claim?.workId ?? "",
  fence: claim?.fence ?? 0n,
  tokenHash: hashSecret(claim?.claimToken ?? ""),
});

/** A report whose claim held when it was looked at, with everything that its effect takes. */
interface Draft {
  ending: Ending;
  found: FoundClaim;
  report: WorkReport;
  slot?: SlotReading;
}

const NOUNS = { poll: "poll", test: "test", deliver: "delivery" } as const;
const MOST_RESULT_BYTES = 1 << 20;
const MOST_ATTEMPTS = 5;

/** Ends claims by what was reported of them, each in one transaction with its effect. */
export async function reportWork(
  parts: { pool: pg.Pool; ingest: Ingest },
  reporter: Reporter,
  reports: readonly WorkReport[],
): Promise<Verdict[]> {
  const { pool } = parts;
  const claims = reports.map(({ claim }) => nameClaim(claim));
  const verdicts = reports.map((): Verdict => ({ kind: "stale" }));
  // Before anything is made of a report, so that a stale one leaves nothing in the catalog.
  const found = await findClaims(pool, reporter, claims);
  const made = await oneThenAll(found, (claim) => {
    const report = reports[claim.index] as WorkReport;
    const name = claims[claim.index] as NamedClaim;
    return makeDraft(parts.ingest, reporter, claim, name, report);
  });
  const drafts: Draft[] = [];
  for (const [place, draft] of made.entries()) {
    const { index } = found[place] as FoundClaim;
    if (typeof draft === "string") verdicts[index] = { kind: "misfit", message: draft };
    else if (draft) drafts.push(draft);
  }

  const { spent, taken } = await commit(pool, reporter, drafts);
  for (const { index } of spent) {
    const { found: claim, slot } = drafts[index] as Draft;
    verdicts[claim.index] =
      slot && taken.has(slot)
        ? { kind: "taken" }
        : { kind: "accepted", ...(slot && { written: slot.prepared.response }) };
  }
  const lost = verdicts.flatMap(({ kind }, index) => (kind === "stale" ? [index] : []));
  if (lost.length > 0) {
    const names = lost.map((index) => claims[index] as NamedClaim);
    for (const place of await countLostClaims(pool, reporter, names)) {
      verdicts[lost[place] as number] = { kind: "spent" };
    }
  }
  return verdicts;
}

/**
 * The first alone: it teaches the catalog what their metrics mean. Then all others at once, so that
 * what is new of their series is looked up in one go.
 */
export async function oneThenAll<Item, Result>(
  items: readonly Item[],
  make: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const [first, ...others] = items;
  if (first === undefined) return [];
  return [await make(first), ...(await Promise.all(others.map(make)))];
}

/** The labels of sources. */
export async function findLabels(
  queries: Queries,
  workspaceId: string,
  sourceIds: readonly string[],
): Promise<Map<string, Record<string, string>>> {
  const { rows } = await queries.query<{ source_id: string; labels: Record<string, string> }>({
    name: "find-source-labels",
    text: `select source_id, labels from sources
      where workspace_id = $1 and source_id = any($2::text[])`,
    values: [workspaceId, sourceIds],
  });
  return new Map(rows.map((row) => [row.source_id, row.labels]));
}

/** What a report is to do; words for why it makes no sense; undefined when its source is gone. */
async function makeDraft(
  ingest: Ingest,
  { workspaceId }: Reporter,
  found: FoundClaim,
  claim: NamedClaim,
  report: WorkReport,
): Promise<Draft | string | undefined> {
  const { outcome, backOff } = report;
  const base = { found, report };
  if (outcome.case === "release") {
    return { ...base, ending: { claim, state: "due", againInMs: 0, released: true } };
  }
  if (outcome.case === undefined || (outcome.case === "delivery") !== (found.kind === "deliver")) {
    return `a ${NOUNS[found.kind]} does not end with a ${outcome.case ?? "nothing"}`;
  }
  if (outcome.case === "delivery") {
    const next = nextAttempt(
      toOutcome(outcome.value),
      found.attempts + 1,
      found.expiresInMs ?? Number.POSITIVE_INFINITY,
    );
    const againInMs = next.state === "due" ? next.waitMs : 0;
    return { ...base, ending: { claim, state: next.state, againInMs } };
  }
  const reading = outcome.value;
  if (found.kind === "test") {
    const result = resultOf(reading);
    return { ...base, ending: { claim, state: "done", againInMs: 0, result } };
  }
  const { subjectId: sourceId, slotMs, labels } = found;
  if (!labels) return undefined;
  const source = { workspaceId, sourceId, labels };
  const prepared = await prepareReading(ingest, source, slotMs, reading);
  const backOffMs = backOff ? durationMs(backOff) : 0;
  return {
    ...base,
    ending: { claim, state: reading.up ? "done" : "failed", againInMs: backOffMs },
    slot: { sourceId, slotMs, reading, prepared, backOffMs },
  };
}

/** What the person who waits is told: never more than is good for one message. */
function resultOf(reading: Reading): Buffer {
  const whole = toBinary(ReadingSchema, reading);
  if (whole.length <= MOST_RESULT_BYTES) return Buffer.from(whole);
  const { series } = reading;
  reading.series = series.slice(
    0,
    Math.floor((series.length * MOST_RESULT_BYTES) / whole.length / 2),
  );
  reading.facts.series = `${reading.series.length} of ${series.length} are shown`;
  return Buffer.from(toBinary(ReadingSchema, reading));
}

/** At once for all; slots that have a result already spend their claim and nothing more. */
async function commit(pool: pg.Pool, reporter: Reporter, drafts: readonly Draft[]) {
  const taken = new Set<SlotReading>();
  if (drafts.length === 0) return { spent: [], taken };
  // In one order everywhere, so that no two transactions wait for each other's items.
  const endings = drafts.map(({ ending }) => ending);
  const spend = async (queries: Queries) => {
    const done = await spendClaims(queries, reporter, endings);
    await takeEffect(queries, reporter, drafts, done, taken);
    return done;
  };
  // A test's result goes with its claim, in one statement.
  const isOneStatement = drafts.every(({ found }) => found.kind === "test");
  for (let attempt = 1; ; attempt += 1) {
    try {
      const spent = await (isOneStatement ? spend(pool) : inTransaction(pool, spend));
      return { spent, taken };
    } catch (error) {
      if (brokenConstraint(error) !== KNOWN_BATCH || attempt === MOST_ATTEMPTS) throw error;
      for (const slot of await findTaken(pool, reporter.workspaceId, drafts)) taken.add(slot);
    }
  }
}

async function takeEffect(
  queries: Queries,
  { workspaceId, collectorId }: Reporter,
  drafts: readonly Draft[],
  spent: readonly SpentClaim[],
  taken: ReadonlySet<SlotReading>,
): Promise<void> {
  const slots: SlotReading[] = [];
  const attempts: Attempt[] = [];
  const topics: string[] = [];
  for (const { index, subjectId } of spent) {
    const { report, slot, ending, found } = drafts[index] as Draft;
    if (slot && !taken.has(slot)) slots.push(slot);
    if (report.outcome.case === "delivery") {
      const outcome = toOutcome(report.outcome.value);
      attempts.push({ workspaceId, deliveryId: subjectId, collectorId, outcome });
    }
    if (found.kind === "deliver") topics.push(workTopic(workspaceId, ending.claim.workId));
  }
  await storeReadings(queries, workspaceId, slots, { filled: false });
  if (attempts.length > 0) await recordAttempts(queries, attempts);
  await notify(queries, topics);
}

async function findTaken(
  queries: Queries,
  workspaceId: string,
  drafts: readonly Draft[],
): Promise<SlotReading[]> {
  const slots = drafts.flatMap(({ slot }) => slot ?? []);
  return findTakenSlots(queries, workspaceId, slots);
}

/** Those whose slot has a result in the log already. */
export async function findTakenSlots(
  queries: Queries,
  workspaceId: string,
  slots: readonly SlotReading[],
): Promise<SlotReading[]> {
  const keys = slots.map(({ sourceId, slotMs }) => ({
    workspaceId,
    senderId: sourceId,
    batchId: slotName(slotMs),
  }));
  const known = new Set(
    (await findBatches(queries, keys)).map(({ senderId, batchId }) => `${senderId}\0${batchId}`),
  );
  return slots.filter(({ sourceId, slotMs }) => known.has(`${sourceId}\0${slotName(slotMs)}`));
}
