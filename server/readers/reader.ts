import type pg from "pg";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { type Loop, startLoop } from "../../lib/loop.ts";
import type { Database } from "../db/database.ts";
import type { Queries } from "../db/transaction.ts";
import * as store from "./store.ts";

/** What is to be written for a portion: in the transaction that moves the reader's place. */
export type Effects = (transaction: Database) => Promise<void>;

/** A reader's time with one workspace, while nobody else reads it there. */
export interface Turn {
  readonly workspaceId: string;
  /** Aborted when the lease is lost or the server stops. */
  readonly signal: AbortSignal;
  /** Writes in one transaction, or throws LeaseLost and has written nothing. */
  commit(effects: Effects): Promise<void>;
}

/**
 * Whoever reads the log: stores, evaluates or forwards its points. Each has a place of its own in
 * every workspace's log, moved by one server at a time. It sees every commit once: its effects in this database
 * happen exactly once, since they are written with the move. Effects elsewhere must stand
 * repetition after a crash: name them by the ids of the segments.
 */
export interface Reader {
  readonly name: string;
  /** It is called when something has waited so long, or when so much waits. */
  readonly patience: { ms: number; bytes: number };
  /** About how much it is given at once; a transaction is never cut in two. */
  readonly portionBytes: number;
  /**
   * For so long whoever read last goes on before others do: for a reader that remembers something and would
   * have to be told. Otherwise servers take turns.
   */
  readonly keptMs?: number;
  /**
   * Asked in the snapshot of a portion: whether nobody wants the points of a workspace, so that
   * they are passed over unread, as if there were none.
   */
  passesOver?(snapshot: Queries, workspaceId: string): Promise<boolean>;
  /** Makes of segments, in order, what is to be written. Their bodies are the reader's own. */
  read(segments: readonly store.UnseenSegment[], turn: Turn): Promise<Effects>;
  /** Other work of the same lease, in steps; answers in how many ms there is more to do. */
  tend?(turn: Turn): Promise<number | undefined>;
}

/** Somebody else moves the reader now; what this server was about to write was not written. */
export class LeaseLost extends Error {
  override name = "LeaseLost";
}

const LEASE_MS = 10_000;
const POLL_MS = 1_000;
/** After so long the next workspace has its turn. */
const TURN_MS = 5_000;

export interface ReaderOptions {
  db: Database;
  pool: pg.Pool;
  log: Log;
  clock: Clock;
  leaseMs?: number;
  pollMs?: number;
  /** Told after each portion, for whoever counts. */
  onRead?: (reader: string, segments: number, bytes: number) => void;
}

/** Runs a reader on this server, beside others on other servers, until it is disposed of. */
export function startReader(reader: Reader, options: ReaderOptions): AsyncDisposable & Loop {
  const { log, clock, pollMs = POLL_MS } = options;
  // Where points never cease to come, a turn at each poll reads as many at less cost than one after the other.
  const pauseMs = pollMs / 2;
  const stopping = new AbortController();
  const round = async (signal: AbortSignal) => {
    await store.enterReader(options.pool, reader.name);
    while (!signal.aborted && (await takeTurn(reader, options, signal, pauseMs))) {
      // Until nothing waits anywhere.
    }
  };
  const loop = startLoop(round, {
    every: () => pollMs,
    jitter: 0.2,
    clock,
    signal: stopping.signal,
    onError: (error) =>
      log.error({ err: error, reader: reader.name }, "a reader of the log failed; tried again"),
  });
  return {
    wake: loop.wake,
    done: loop.done,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await loop.done;
    },
  };
}

/** Reads one workspace for a while; false when none waits for it, or all that do had a turn within `pauseMs`. */
export async function takeTurn(
  reader: Reader,
  options: ReaderOptions,
  signal: AbortSignal,
  pauseMs = 0,
): Promise<boolean> {
  const { db, pool, clock, leaseMs = LEASE_MS } = options;
  const lease = await store.claimLease(pool, reader.name, reader.patience, leaseMs, pauseMs);
  if (!lease) return false;
  const lost = new AbortController();
  const turn = makeTurn(db, lease, AbortSignal.any([signal, lost.signal]));
  const stopRenewing = renew(lease, options, lost);
  let dueInMs: number | undefined;
  try {
    const ended = clock.monotonic() + TURN_MS;
    dueInMs = await readAll(reader, options, lease, turn, () => clock.monotonic() > ended);
  } catch (error) {
    await stopRenewing();
    // A lease that is not given back runs out: until then whatever failed is let alone.
    if (!(error instanceof LeaseLost) && !signal.aborted) throw error;
    if (signal.aborted) await store.endLease(db, lease, 0).catch(() => {});
    return true;
  }
  // First, for a renewal that comes late would take the lease again.
  await stopRenewing();
  await store.endLease(db, lease, dueInMs, reader.keptMs);
  return true;
}

/** Renews a lease until the answer is called; aborts `lost` when somebody else has it. */
function renew(
  lease: store.Lease,
  { db, clock, leaseMs = LEASE_MS }: ReaderOptions,
  lost: AbortController,
): () => Promise<void> {
  const ending = new AbortController();
  let isFirst = true;
  const loop = startLoop(
    async () => {
      // It was just given.
      if (isFirst) isFirst = false;
      else if (!(await store.renewLease(db, lease, leaseMs))) {
        lost.abort(new LeaseLost(lease.reader));
      }
    },
    {
      every: () => leaseMs / 3,
      clock,
      signal: ending.signal,
      onError: () => {}, // whoever holds no lease finds out when it writes
    },
  );
  return async () => {
    ending.abort();
    await loop.done;
  };
}

/** Until nothing is unseen, or its time is over. Answers in how many ms the reader has to come again. */
async function readAll(
  reader: Reader,
  options: ReaderOptions,
  lease: store.Lease,
  turn: Turn,
  isOver: () => boolean,
): Promise<number | undefined> {
  for (;;) {
    turn.signal.throwIfAborted();
    const portion = await store.readPortion(options.pool, lease, reader);
    const bytes = portion.segments.reduce((sum, { body }) => sum + body.length, 0);
    const effects = await reader.read(portion.segments, turn);
    turn.signal.throwIfAborted();
    await turn.commit(async (transaction) => {
      await effects(transaction);
      await store.movePlace(transaction, lease, portion);
    });
    options.onRead?.(reader.name, portion.segments.length, bytes);
    if (portion.complete) return reader.tend?.(turn);
    if (isOver()) return 0;
  }
}

function makeTurn(db: Database, lease: store.Lease, signal: AbortSignal): Turn {
  return {
    workspaceId: lease.workspaceId,
    signal,
    commit: (effects) =>
      db.transaction().execute(async (transaction) => {
        if (!(await store.holdLease(transaction, lease))) throw new LeaseLost(lease.reader);
        await effects(transaction);
      }),
  };
}
