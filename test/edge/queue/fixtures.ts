import { cp, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { ExecutionContext } from "ava";
import {
  openQueue,
  type Queue,
  type QueueRecord,
  smallestLimitBytes,
} from "../../../edge/queue/queue.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { silentLog } from "../../../lib/log.ts";

export const limits = { maxPoints: 1_000, maxBytes: 200_000 };

/** Numbers between 0 and 1 that a seed repeats. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The record with a number: from the number alone, so that any wrong byte of it shows. */
export function recordOf(id: number): QueueRecord {
  const random = randomFrom(id);
  const payload = Buffer.alloc(1_000 + Math.floor(random() * 4_000));
  for (let at = 0; at + 4 <= payload.length; at += 4) payload.writeUInt32LE(random() * 2 ** 32, at);
  payload.writeUInt32LE(id, 0);
  return {
    payload,
    points: pointsOf(id),
    startTime: timeOf(id),
    endTime: timeOf(id) + 500,
    clockOffsetMs: undefined,
  };
}

export function pointsOf(id: number): number {
  return 1 + (id % 40);
}

export function timeOf(id: number): number {
  return 1_700_000_000_000 + id * 1_000;
}

/** The number of a record, once every byte of it was compared. */
export function idOf(t: ExecutionContext<unknown>, record: QueueRecord): number {
  const id = Buffer.from(record.payload).readUInt32LE(0);
  const wanted = recordOf(id);
  if (!Buffer.from(wanted.payload).equals(record.payload)) t.fail(`record ${id} has wrong bytes`);
  t.is(record.points, wanted.points);
  t.is(record.startTime, wanted.startTime);
  return id;
}

export function sumOfPoints(ids: Iterable<number>): number {
  let sum = 0;
  for (const id of ids) sum += pointsOf(id);
  return sum;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

export async function appendAll(queue: Queue, ids: number[]): Promise<void> {
  await Promise.all(ids.map((id) => queue.append(recordOf(id))));
}

/** Acknowledges everything and returns the numbers in the order in which they came. */
export async function drain(t: ExecutionContext<unknown>, queue: Queue): Promise<number[]> {
  const ids: number[] = [];
  for (;;) {
    const batch = await queue.next(limits);
    if (!batch) return ids;
    ids.push(...batch.records.map((record) => idOf(t, record)));
    await queue.acknowledge(batch);
  }
}

/** appended = acknowledged + dropped + damaged + unreadable + queued, and the ledger agrees with the counters. */
export function assertBooks(t: ExecutionContext<unknown>, queue: Queue): void {
  const health = queue.health();
  const { acknowledgedPoints, droppedPoints, damagedPoints, unreadablePoints } = health;
  const settled = acknowledgedPoints + droppedPoints + damagedPoints + unreadablePoints;
  t.is(health.appendedPoints, settled + health.queuedPoints);
}

export function ledger(queue: Queue, reason: string): number {
  const drops = queue.drops.filter((drop) => drop.reason === reason);
  return drops.reduce((sum, drop) => sum + drop.points, 0);
}

export async function temporaryDirectory(t: ExecutionContext<unknown>): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "lumetry-queue-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export function open(
  directory: string,
  options: { log?: Log; limitBytes?: number; clock?: Clock } = {},
) {
  return openQueue(directory, { log: silentLog, limitBytes: smallestLimitBytes, ...options });
}

/** What a crash at this moment would leave. */
export async function crashCopy(directory: string, copy: string): Promise<string> {
  // LevelDB may be moving a log into a table; a copy counts once nothing has changed under it.
  let before = "";
  for (let now = await listing(directory); now !== before; now = await listing(directory)) {
    before = now;
    await rm(copy, { recursive: true, force: true });
    await cp(directory, copy, { recursive: true }).catch(() => {});
  }
  for (const name of await readdir(copy)) {
    if (name.startsWith("owner.")) await rm(path.join(copy, name));
  }
  return copy;
}

async function listing(directory: string): Promise<string> {
  const names = (await readdir(directory, { recursive: true })).sort();
  const lines = names.map(async (name) => {
    const stats = await stat(path.join(directory, name)).catch(() => undefined);
    return `${name} ${stats?.ino} ${stats?.size} ${stats?.mtimeMs}`;
  });
  return (await Promise.all(lines)).join("\n");
}

/** Remembers what was logged as a warning. */
export function warnings(): Log & { messages: string[] } {
  const messages: string[] = [];
  const warn = (_fields: object, message: string) => void messages.push(message);
  return { ...silentLog, warn, messages };
}
