import { makeBreath } from "../../lib/breath.ts";
import type { Log } from "../../lib/log.ts";
import type { Database } from "../db/database.ts";
import { DamagedBytes } from "../log/bytes.ts";
import { readSegment } from "../log/segment-format.ts";
import type { Reader } from "../readers/reader.ts";
import type { UnseenSegment } from "../readers/store.ts";
import type { Series } from "./evaluator.ts";
import { loadMemory, type Memory, meetSeries, saveMemory } from "./memory.ts";
import { RULES } from "./names.ts";
import { lockProgress } from "./state-store.ts";

/** So long the server that evaluated last goes on before another one does. */
const KEPT_MS = 4_000;
/** It is looked at least so often how late it is: silence makes no sound. */
const IDLE_MS = 5_000;
const SOONEST_MS = 100;

/**
 * The reader of the log that evaluates rules. All of it is done in the transaction that moves its place: what
 * follows from a point is written once, whoever is killed when.
 */
export function rulesReader({ log }: { log: Log }): Reader {
  const memories = new Map<string, Memory>();

  /** Works on what is remembered of a workspace, if it is what the database says, or else on that. */
  const evaluate = async (
    transaction: Database,
    workspaceId: string,
    work: (memory: Memory, readMs: number) => Promise<ReadonlySet<Series>>,
  ): Promise<Memory | undefined> => {
    const progress = await lockProgress(transaction, workspaceId);
    if (!progress) return undefined;
    const remembered = memories.get(workspaceId);
    // Until the transaction is over, nobody knows whether the memory is true.
    memories.delete(workspaceId);
    const memory =
      remembered?.token === progress.token && remembered.rulesRevision === progress.rulesRevision
        ? remembered
        : await loadMemory(transaction, workspaceId, progress, log);
    await saveMemory(transaction, memory, await work(memory, progress.readMs));
    memories.set(workspaceId, memory);
    return memory;
  };

  return {
    name: RULES,
    patience: { ms: 0, bytes: 1 },
    portionBytes: 4 << 20,
    keptMs: KEPT_MS,

    async passesOver(snapshot, workspaceId) {
      const enabled = "select from rules where workspace_id = $1 and enabled limit 1";
      return (await snapshot.query(enabled, [workspaceId])).rows.length === 0;
    },

    read:
      async (segments, { workspaceId, signal }) =>
      async (transaction) => {
        if (segments.length === 0) return;
        await evaluate(transaction, workspaceId, async (memory) => {
          await meetNewSeries(transaction, memory, segments, log);
          return takePoints(memory, segments, signal);
        });
      },

    async tend({ workspaceId, commit }) {
      let dueInMs: number | undefined;
      await commit(async (transaction) => {
        const memory = await evaluate(transaction, workspaceId, async ({ evaluator }, readMs) => {
          evaluator.advance(readMs);
          return new Set();
        });
        if (!memory) return;
        const { nextMs, nowMs } = memory.evaluator;
        dueInMs = Math.max(SOONEST_MS, Math.min(IDLE_MS, nextMs - nowMs));
      });
      return dueInMs;
    },
  };
}

async function meetNewSeries(
  transaction: Database,
  memory: Memory,
  segments: readonly UnseenSegment[],
  log: Log,
): Promise<void> {
  const unknown = new Set<number>();
  for (const { segmentId, body } of segments) {
    try {
      const note = (seriesId: number) => {
        if (!memory.series.has(seriesId)) unknown.add(seriesId);
        return false;
      };
      readSegment(body, note, () => {});
    } catch (error) {
      if (!(error instanceof DamagedBytes)) throw error;
      const at = { workspaceId: memory.workspaceId, segmentId: String(segmentId) };
      log.error(
        { err: error, ...at },
        "a segment of the log is damaged; rules do not see its points",
      );
    }
  }
  if (unknown.size > 0) await meetSeries(transaction, memory, [...unknown]);
}

/** Tells the points as they came: those of one transaction came together. */
async function takePoints(
  { evaluator, series }: Memory,
  segments: readonly UnseenSegment[],
  signal: AbortSignal,
): Promise<Set<Series>> {
  const touched = new Set<Series>();
  const breathe = makeBreath(signal);
  for (const together of Map.groupBy(segments, ({ transactionId }) => transactionId).values()) {
    const cameMs = together.reduce((most, { arrivedMs }) => Math.max(most, arrivedMs), 0);
    evaluator.advance(cameMs);
    for (const { body } of together) takeSegment(body, evaluator, series, touched);
    evaluator.advance(cameMs);
    await breathe();
  }
  return touched;
}

function takeSegment(
  body: Buffer,
  evaluator: Memory["evaluator"],
  series: Memory["series"],
  touched: Set<Series>,
): void {
  try {
    const isWatched = (seriesId: number) => series.get(seriesId) !== undefined;
    readSegment(body, isWatched, (run) => {
      const wanted = series.get(run.seriesId);
      if (!wanted) return;
      touched.add(wanted);
      const { clockOffsetMs } = run.batch;
      for (let at = 0; at < run.count; at += 1) {
        const givenMs = run.times[at] as number;
        evaluator.addPoint(wanted, givenMs, givenMs - clockOffsetMs, run.values[at] as number);
      }
    });
  } catch (error) {
    // Said when its series were looked for.
    if (!(error instanceof DamagedBytes)) throw error;
  }
}
