import type pg from "pg";
import { brokenConstraint } from "../db/database.ts";
import { groupIntoSegments } from "./grouping.ts";
import type { PackedPoints } from "./segment-format.ts";
import { type BatchRecord, findBatches, insertSegments, KNOWN_BATCH } from "./store.ts";

/** A batch on its way into the log. Without a batch id it has no key, and a repeat is not known. */
export interface Batch extends BatchRecord {
  /** Undefined when every point was refused; then only the key is kept. */
  packed: PackedPoints | undefined;
}

/** The first answer that a batch got: `answer` is empty when nothing was refused. */
export interface Appended {
  accepted: number;
  answer: Buffer;
}

/** Too much is waiting to be written: come again. */
export class LogOverloaded extends Error {
  override name = "LogOverloaded";
  readonly retryAfterMs = 1_000;
}

/** The log takes no more batches: the server stops. */
export class LogClosed extends Error {
  override name = "LogClosed";
}

/**
 * The append-only log of points. A batch is in the log, exactly once, if and only if its key is in
 * `batches`: both are written by one statement, which fails as a whole for a key that is there.
 */
export interface PointLog extends AsyncDisposable {
  /**
   * Settles once the batch is durable, with the answer given the first time. Rejects with
   * LogOverloaded or LogClosed before anything was written; with the signal's reason if it was
   * aborted before the commit began; with the database's error when the outcome is unknown: then
   * appending the same key again is safe.
   */
  append(batch: Batch, signal?: AbortSignal): Promise<Appended>;
}

export interface LogLimits {
  /** Commits under way at a time; while they last, what arrives is gathered for the next. */
  commits: number;
  /** Least that has to wait for a commit beside another: few batches are cheaper together. */
  besideBytes: number;
  /** Longest that a commit is put off for batches that are likely to come. */
  gatherMs: number;
  /** Most that one commit takes, so that none lasts long. */
  commitBytes: number;
  commitBatches: number;
  /** Most that may wait, for everybody and for one workspace. */
  waitingBytes: number;
  workspaceBytes: number;
}

const LIMITS: LogLimits = {
  commits: 2,
  besideBytes: 256 << 10,
  gatherMs: 3,
  commitBytes: 8 << 20,
  commitBatches: 512,
  waitingBytes: 128 << 20,
  workspaceBytes: 64 << 20,
};

/** What an entry weighs besides its bytes. */
const ENTRY_OVERHEAD = 1024;
/** Of what is likely to come before a commit; to wait for the last of it costs more than it saves. */
const SHARE_GATHERED = 0.75;
/** A key that is neither new nor known was pruned in between; it is not so again and again. */
const MOST_ATTEMPTS = 10;

interface Waiter {
  resolve(appended: Appended): void;
  reject(error: unknown): void;
  /** Listens no longer for whoever gives up. */
  release(): void;
}

interface Entry {
  batch: Batch;
  /** Undefined for a batch without a key. */
  key: string | undefined;
  bytes: number;
  begun: boolean;
  /** Whoever sent this batch; a repeat of one that is under way waits for its outcome. */
  waiters: Set<Waiter>;
}

const keyOf = ({ workspaceId, senderId, batchId }: Omit<BatchRecord, "accepted" | "answer">) =>
  `${workspaceId}\0${senderId}\0${batchId}`;

export function makePointLog(
  pool: pg.Pool,
  options: {
    limits?: Partial<LogLimits>;
    onCommit?: (bytes: number, batches: number) => void;
  } = {},
): PointLog {
  const limits = { ...LIMITS, ...options.limits };
  const { commits, besideBytes, commitBytes, commitBatches, waitingBytes, workspaceBytes } = limits;
  const queue = new Set<Entry>();
  const underWay = new Map<string, Entry>();
  const weights = new Map<string, number>();
  let weight = 0;
  /** What the queue weighs: all but what is being committed. */
  let queued = 0;
  let committing = 0;
  /** So many batches are worth waiting for: see `commitNext`. */
  let expected = 1;
  let gathering: NodeJS.Timeout | undefined;
  let closed: PromiseWithResolvers<void> | undefined;

  const weigh = (workspaceId: string, bytes: number) => {
    weight += bytes;
    const left = (weights.get(workspaceId) ?? 0) + bytes;
    if (left > 0) weights.set(workspaceId, left);
    else weights.delete(workspaceId);
  };

  const leave = (entry: Entry) => {
    if (queue.delete(entry)) queued -= entry.bytes;
    if (entry.key !== undefined) underWay.delete(entry.key);
    weigh(entry.batch.workspaceId, -entry.bytes);
  };

  const settle = (entry: Entry, tell: (waiter: Waiter) => void) => {
    leave(entry);
    for (const waiter of entry.waiters) {
      waiter.release();
      tell(waiter);
    }
  };

  /** Ends well for every entry that it could write or that was known, and badly for all others. */
  const commit = async (entries: Entry[]) => {
    let rest = entries;
    try {
      for (let attempt = 1; rest.length > 0; attempt += 1) {
        const keyed = rest
          .filter(({ key }) => key !== undefined)
          // In one order everywhere, so that no two commits ever wait for each other's keys.
          .sort((a, b) => ((a.key ?? "") < (b.key ?? "") ? -1 : 1))
          .map(({ batch }) => batch);
        const stored = await insertUnlessKnown(rest, keyed, attempt);
        if (stored) {
          for (const entry of rest) settle(entry, (waiter) => waiter.resolve(entry.batch));
          return;
        }
        const known = new Map((await findBatches(pool, keyed)).map((one) => [keyOf(one), one]));
        rest = rest.filter((entry) => {
          const found = entry.key === undefined ? undefined : known.get(entry.key);
          if (found) settle(entry, (waiter) => waiter.resolve(found));
          return !found;
        });
      }
    } catch (error) {
      for (const entry of rest) settle(entry, (waiter) => waiter.reject(error));
    }
  };

  /** False when one of the batches is in the log already, and nothing was written. */
  const insertUnlessKnown = async (entries: Entry[], keyed: Batch[], attempt: number) => {
    const segments = groupIntoSegments(entries.map(({ batch }) => batch));
    try {
      await insertSegments(pool, segments, keyed);
      const bytes = segments.reduce((sum, { body }) => sum + body.length, 0);
      options.onCommit?.(bytes, entries.length);
      return true;
    } catch (error) {
      if (brokenConstraint(error) !== KNOWN_BATCH || attempt === MOST_ATTEMPTS) throw error;
      return false;
    }
  };

  const takeGroup = (): Entry[] => {
    const group: Entry[] = [];
    let bytes = 0;
    for (const entry of queue) {
      bytes += entry.bytes;
      if (group.length > 0 && (bytes > commitBytes || group.length >= commitBatches)) break;
      group.push(entry);
    }
    for (const entry of group) {
      entry.begun = true;
      queue.delete(entry);
      queued -= entry.bytes;
    }
    return group;
  };

  /**
   * Whoever has just been answered sends again at once when there is much to send. To wait for
   * those, beside whatever came meanwhile, makes of two commits one, which costs as much.
   */
  const commitNext = (isLate = false) => {
    const isDue = () =>
      queued >= besideBytes
        ? committing < commits
        : committing === 0 && (queue.size >= expected || isLate || closed !== undefined);
    while (queue.size > 0 && isDue()) {
      clearTimeout(gathering);
      gathering = undefined;
      const group = takeGroup();
      committing += 1;
      void commit(group).then(() => {
        committing -= 1;
        expected = Math.ceil(SHARE_GATHERED * (group.length + queue.size));
        commitNext();
      });
    }
    if (committing > 0) return;
    if (queue.size > 0) gathering ??= setTimeout(commitLate, limits.gatherMs);
    else closed?.resolve();
  };

  const commitLate = () => {
    gathering = undefined;
    commitNext(true);
  };

  // What arrives in the same turn of the event loop goes into the same commit.
  let scheduled = false;
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      commitNext();
    });
  };

  /** Tells the outcome of an entry, unless the signal is aborted before its commit begins. */
  const join = (entry: Entry, signal: AbortSignal | undefined): Promise<Appended> => {
    const { promise, resolve, reject } = Promise.withResolvers<Appended>();
    const giveUp = () => {
      if (entry.begun || !entry.waiters.delete(waiter)) return;
      if (entry.waiters.size === 0) leave(entry);
      reject(signal?.reason);
    };
    const release = () => signal?.removeEventListener("abort", giveUp);
    const waiter = { resolve, reject, release };
    entry.waiters.add(waiter);
    signal?.addEventListener("abort", giveUp, { once: true });
    return promise;
  };

  return {
    async append(batch, signal) {
      signal?.throwIfAborted();
      if (closed) throw new LogClosed("the server is stopping");
      const key = batch.batchId === "" ? undefined : keyOf(batch);
      const same = key === undefined ? undefined : underWay.get(key);
      if (same) return join(same, signal);

      const bytes = ENTRY_OVERHEAD + (batch.packed?.bytes.length ?? 0) + batch.answer.length;
      const ofWorkspace = weights.get(batch.workspaceId) ?? 0;
      if (weight + bytes > waitingBytes || ofWorkspace + bytes > workspaceBytes) {
        throw new LogOverloaded("too many points wait to be written");
      }
      const entry: Entry = { batch, key, bytes, begun: false, waiters: new Set() };
      weigh(batch.workspaceId, bytes);
      queue.add(entry);
      queued += bytes;
      if (key !== undefined) underWay.set(key, entry);
      schedule();
      return join(entry, signal);
    },

    async [Symbol.asyncDispose]() {
      closed ??= Promise.withResolvers();
      commitNext();
      await closed.promise;
    },
  };
}
