import { recordTransitions, releaseHeld } from "../alerts/transitions.ts";
import type { Database } from "../db/database.ts";
import { decide } from "./decide.ts";
import { findEdgeMatters } from "./edges.ts";
import type { Finding, Look } from "./findings.ts";
import { reconsider } from "./held.ts";
import { CAUSES, kindName } from "./kinds.ts";
import { findReadersBehind, findSeriesLimit, findServerMatters } from "./servers.ts";
import { readSettings } from "./settings.ts";
import { findStarvingSources } from "./sources.ts";
import * as store from "./store.ts";
import { findExpiringTokens } from "./tokens.ts";

export interface RoundOptions {
  db: Database;
  heartbeatIntervalMs: number;
  /** A workspace that could not be looked after; it has its turn again later. */
  onError: (error: unknown, workspaceId: string) => void;
}

/** From one look at a workspace to the next. */
export const roundMs = (heartbeatIntervalMs: number) =>
  Math.min(Math.max(heartbeatIntervalMs / 3, 1_000), 10_000);
/** Nobody has looked for so long beyond what was due: the servers were away, and nobody could be heard of. */
const GAP_MS = 15_000;
/** Then edges have so many intervals to come back before they are missed. */
const SETTLING_INTERVALS = 3;
/** Well before that would look like a gap. */
const AFTER_ERROR_MS = GAP_MS / 3;

/**
 * Looks after the workspace whose turn it is; false when it is nobody's. The row of its watch is locked
 * meanwhile, so that any number of servers share the work, and one that is killed leaves it to the others.
 */
export async function lookAfterOne(options: RoundOptions): Promise<boolean> {
  const { db, onError } = options;
  let workspaceId: string | undefined;
  try {
    const isDone = await db.transaction().execute(async (transaction) => {
      const watch = await store.claimWatch(transaction);
      if (!watch) return false;
      workspaceId = watch.workspace_id;
      await lookAt(transaction, watch, options);
      return true;
    });
    if (isDone && workspaceId !== undefined) await tendSuppressions(db, workspaceId);
    return isDone;
  } catch (error) {
    if (workspaceId === undefined) throw error;
    onError(error, workspaceId);
    const gapMs = roundMs(options.heartbeatIntervalMs) + GAP_MS;
    await store.noteFailure(db, workspaceId, { againInMs: AFTER_ERROR_MS, gapMs });
    return true;
  }
}

async function lookAt(
  transaction: Database,
  watch: store.Watch,
  { heartbeatIntervalMs }: RoundOptions,
): Promise<void> {
  const workspaceId = watch.workspace_id;
  const nowMs = watch.now.getTime();
  const everyMs = roundMs(heartbeatIntervalMs);
  const isGap = nowMs - watch.looked_at.getTime() > everyMs + GAP_MS;
  const settings = await readSettings(transaction, workspaceId);
  const look = { db: transaction, workspaceId, settings, heartbeatIntervalMs, nowMs };
  const findings = await findAll(look);
  const open = await store.listOpen(transaction, workspaceId);
  const settledMs = watch.watched_since.getTime() + SETTLING_INTERVALS * heartbeatIntervalMs;
  const decision = decide({
    findings,
    open,
    gone: await store.findGone(transaction, workspaceId, open),
    settings,
    nowMs,
    isSettling: isGap || nowMs < settledMs,
  });
  // First what explains others, so that they are found explained.
  const causes = new Set(CAUSES.map(kindName));
  for (const isFirst of [true, false]) {
    const changes = decision.changes.filter(({ key }) => causes.has(key.source) === isFirst);
    await recordTransitions(transaction, workspaceId, changes);
  }
  await store.noteRecoveries(transaction, workspaceId, decision);
  await store.endLook(transaction, workspaceId, everyMs, isGap);
}

async function findAll(look: Look): Promise<Finding[]> {
  return [
    ...(await findEdgeMatters(look, "collector")),
    ...(await findEdgeMatters(look, "agent")),
    ...(await findStarvingSources(look)),
    ...(await findExpiringTokens(look)),
    ...(await findReadersBehind(look)),
    ...(await findSeriesLimit(look)),
    ...(await findServerMatters(look)),
  ];
}

/** Judges anew what is explained or held, and tells of what is neither any more. */
async function tendSuppressions(db: Database, workspaceId: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await store.lockWatch(transaction, workspaceId);
    const changes = await reconsider(transaction, workspaceId);
    await recordTransitions(transaction, workspaceId, changes);
    await releaseHeld(transaction, workspaceId);
  });
}
