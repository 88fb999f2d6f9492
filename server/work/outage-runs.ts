import { timestampMs } from "@bufbuild/protobuf/wkt";
import type pg from "pg";
import type { ReportOutageRunsRequest_OutageRun as OutageRun } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import { OUTAGE_HORIZON } from "../assignments/sync.ts";
import { brokenConstraint } from "../db/database.ts";
import { inTransaction, type Queries } from "../db/transaction.ts";
import type { Ingest } from "../ingest/write.ts";
import { KNOWN_BATCH } from "../log/store.ts";
import { prepareReading, type SlotReading, storeReadings } from "./readings.ts";
import type { Reporter, Verdict } from "./report.ts";
import { findLabels, findTakenSlots, oneThenAll } from "./report.ts";

const MOST_ATTEMPTS = 10;

/**
 * Takes runs that a collector made without a claim, while it could not reach the server: each that
 * was its own to make and whose slot nobody has filled. What is refused is counted.
 */
export async function takeOutageRuns(
  parts: { pool: pg.Pool; ingest: Ingest },
  { workspaceId, collectorId }: Reporter,
  runs: readonly OutageRun[],
): Promise<Verdict[]> {
  const { pool, ingest } = parts;
  const verdicts = runs.map(
    (): Verdict => ({
      kind: "misfit",
      message: "the source was not assigned to this collector then",
    }),
  );
  const slots = runs.map(({ scheduledTime }) => (scheduledTime ? timestampMs(scheduledTime) : 0));
  const held = await findHeld(pool, workspaceId, collectorId, runs, slots);
  const ids = [...new Set([...held].map((index) => runs[index]?.sourceId ?? ""))];
  const labels = await findLabels(pool, workspaceId, ids);

  const open = new Map<number, SlotReading>();
  const seen = new Set<string>();
  const prepare = async (index: number) => {
    const { sourceId = "", reading } = runs[index] ?? {};
    const slotMs = slots[index] ?? 0;
    const own = labels.get(sourceId);
    if (!own || !reading) return;
    const key = `${sourceId} ${slotMs}`;
    if (seen.has(key)) {
      verdicts[index] = { kind: "taken" };
      return;
    }
    seen.add(key);
    const source = { workspaceId, sourceId, labels: own };
    const prepared = await prepareReading(ingest, source, slotMs, reading);
    open.set(index, { sourceId, slotMs, reading, prepared, backOffMs: 0 });
  };
  await oneThenAll([...held], prepare);

  for (let attempt = 1; ; attempt += 1) {
    const taken = new Set(await findTakenSlots(pool, workspaceId, [...open.values()]));
    for (const [index, slot] of open) {
      if (!taken.has(slot)) continue;
      verdicts[index] = { kind: "taken" };
      open.delete(index);
    }
    try {
      await inTransaction(pool, (queries) =>
        storeReadings(queries, workspaceId, [...open.values()], { filled: true }),
      );
      break;
    } catch (error) {
      if (brokenConstraint(error) !== KNOWN_BATCH || attempt === MOST_ATTEMPTS) throw error;
    }
  }
  for (const [index, { prepared }] of open) {
    verdicts[index] = { kind: "accepted", written: prepared.response };
  }
  const refused = runs.filter((_, index) => verdicts[index]?.kind !== "accepted");
  if (refused.length > 0) {
    await countRefused(
      pool,
      workspaceId,
      collectorId,
      refused.map(({ sourceId }) => sourceId),
    );
  }
  return verdicts;
}

/**
 * The places of the runs for whose time the collector held the assignment; or had held it, and knew no
 * better: another one was given the source and may be as cut off, so that nobody else filled the slot.
 * What was ended for good since (paused, taken to another zone) is nobody's.
 */
async function findHeld(
  queries: Queries,
  workspaceId: string,
  collectorId: string,
  runs: readonly OutageRun[],
  slots: readonly number[],
): Promise<Set<number>> {
  const { rows } = await queries.query<{ place: bigint }>({
    name: "find-held-slots",
    text: `
      select given.place
      from unnest($3::text[], $4::float8[]) with ordinality as given (source_id, slot_ms, place)
      where to_timestamp(slot_ms / 1000) between wall_clock() - interval '${OUTAGE_HORIZON}'
          and wall_clock() + interval '10 seconds'
        and exists (select from source_assignments as assignment
          where assignment.workspace_id = $1 and assignment.source_id = given.source_id
            and assignment.collector_id = $2
            and assignment.started_at <= to_timestamp(slot_ms / 1000)
            and (ended_at is null or ended_at > to_timestamp(slot_ms / 1000)
              or moved and not exists (select from source_assignments as later
                where later.workspace_id = $1 and later.source_id = given.source_id
                  and later.started_at >= assignment.started_at
                  and later.ended_at <= to_timestamp(slot_ms / 1000) and not later.moved)))
      order by given.place`,
    values: [workspaceId, collectorId, runs.map(({ sourceId }) => sourceId), slots],
  });
  return new Set(rows.map(({ place }) => Number(place) - 1));
}

async function countRefused(
  queries: Queries,
  workspaceId: string,
  collectorId: string,
  sourceIds: readonly string[],
): Promise<void> {
  await queries.query(
    `with counted as (
       select source_id, count(*) as runs from unnest($3::text[]) as given (source_id)
       group by source_id
     ), of_source as (
       update source_polls as polls set stale = stale + counted.runs from counted
       where polls.workspace_id = $1 and polls.source_id = counted.source_id
     )
     update workers set stale_reports = stale_reports + cardinality($3::text[])
     where workspace_id = $1 and collector_id = $2`,
    [workspaceId, collectorId, sourceIds],
  );
}
