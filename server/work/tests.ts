import type { Queries } from "../db/transaction.ts";
import type { WorkState } from "./table.ts";

/** So long a person waits for a collector to take a test. */
export const TAKEN_WITHIN_MS = 30_000;

export const testPlace = (workspaceId: string, workId: string) => ["test", workspaceId, workId];

/** Makes work of a test and wakes the collectors of its zone. */
export async function insertTest(
  queries: Queries,
  test: {
    workspaceId: string;
    workId: string;
    zoneId: string;
    timeoutMs: number;
    task: Buffer;
  },
): Promise<void> {
  await queries.query({
    name: "insert-test",
    text: `
      insert into work_items (workspace_id, work_id, kind, zone_id, subject_id, due_at, expires_at,
        budget_ms, task)
      values ($1, $2, 'test', $3, '', wall_clock(),
        wall_clock() + ${TAKEN_WITHIN_MS} * interval '1 ms', $4, $5)
      returning pg_notify('lumetry_work', 'zone ' || $1 || ' ' || $3)`,
    values: [test.workspaceId, test.workId, test.zoneId, test.timeoutMs, test.task],
  });
}

export interface TestState {
  state: WorkState;
  lapses: number;
  claimedBy: string | null;
  collectorName: string | null;
  result: Buffer | null;
  steps: { step: bigint; phase: string; message: string }[];
}

/** How far a test is, and what it told after a step. Undefined once it was removed. */
export async function readTest(
  queries: Queries,
  workspaceId: string,
  workId: string,
  afterStep: bigint,
): Promise<TestState | undefined> {
  const { rows } = await queries.query<{
    state: WorkState;
    lapses: number;
    claimed_by: string | null;
    display_name: string | null;
    result: Buffer | null;
  }>({
    name: "read-test",
    text: `
      select item.state, lapses, claimed_by, edges.display_name, result
      from work_items as item
      left join edges on edges.workspace_id = item.workspace_id
        and edges.edge_id = item.claimed_by
      where item.workspace_id = $1 and work_id = $2`,
    values: [workspaceId, workId],
  });
  const [row] = rows;
  if (!row) return undefined;
  const { rows: steps } = await queries.query<TestState["steps"][number]>({
    name: "read-steps",
    text: `
      select step, phase, message from work_progress
      where workspace_id = $1 and work_id = $2 and step > $3 order by step limit 1000`,
    values: [workspaceId, workId, afterStep],
  });
  return {
    state: row.state,
    lapses: row.lapses,
    claimedBy: row.claimed_by,
    collectorName: row.display_name,
    result: row.result,
    steps,
  };
}

/** Whoever has it finds its claim lost. What it told is of no more use to anybody. */
export async function removeTest(
  queries: Queries,
  workspaceId: string,
  workId: string,
): Promise<void> {
  await queries.query("delete from work_items where workspace_id = $1 and work_id = $2", [
    workspaceId,
    workId,
  ]);
}

/** Most that one test may tell. */
const MOST_STEPS = 200;

/** Writes a step of a test whose claim holds; false when it does not. */
export async function recordStep(
  queries: Queries,
  holder: { workspaceId: string; collectorId: string; processId: string },
  claim: { workId: string; fence: bigint; tokenHash: Buffer },
  step: { phase: string; message: string; elapsedMs: number | null },
): Promise<boolean> {
  const { rows } = await queries.query<{ held: boolean }>({
    name: "record-step",
    text: `
      with held as (
        select work_id from work_items as item
        where workspace_id = $1 and work_id = $4 and kind = 'test'
          and holds_claim(item, $2, $3, $5, $6)
        for key share
      ), written as (
        insert into work_progress (workspace_id, work_id, phase, message, elapsed_ms)
        select $1, work_id, $7, $8, $9 from held
        where (select count(*) from work_progress
          where workspace_id = $1 and work_id = $4) < ${MOST_STEPS}
        returning pg_notify('lumetry_work', 'work ' || $1 || ' ' || $4)
      )
      select true as held from held left join written on true`,
    values: [
      holder.workspaceId,
      holder.collectorId,
      holder.processId,
      claim.workId,
      claim.fence,
      claim.tokenHash,
      step.phase,
      step.message,
      step.elapsedMs,
    ],
  });
  return rows.length > 0;
}
