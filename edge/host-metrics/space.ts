import type { Clock } from "../../lib/clock.ts";
import type { Failures } from "./failures.ts";
import type { Mount } from "./mounts.ts";

/** The part of Node's `StatFs` that is needed; `frsize` came with Node 24. */
export interface Space {
  bsize: number;
  frsize?: number;
  blocks: number;
  bfree: number;
  bavail: number;
}

/** Asks for the space of the file system at a path; may take forever. */
export type StatFilesystem = (path: string) => Promise<Space>;

/** Asks all mounts and returns what answered, in any order; never rejects, takes 2 s at most. */
export type AskSpace = (mounts: readonly Mount[]) => Promise<[Mount, Space][]>;

/** These answer from memory; every other type may depend on a network or on another process. */
const localTypes = new Set([
  ...["bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "msdos"],
  ...["ntfs", "ntfs3", "overlay", "reiserfs", "tmpfs", "vfat", "xfs", "zfs"],
]);

/**
 * How many calls may be under way. A call to a dead server keeps one thread of Node's pool of four until the
 * server is back; with all of them it would stop every file access and name look-up of this process.
 */
const lanes = { local: 1, other: 2 } as const;
type Lane = keyof typeof lanes;

/** How long one round waits for answers. */
const patienceMs = 2_000;

const late = Symbol("no answer in time");

/**
 * A mount that does not answer in time is left out, and not asked again before its call has returned. While a call
 * hangs, `process.exit` hangs too, since it joins the threads: a program that must stop then has to kill itself.
 */
export function makeAskSpace(
  failures: Failures,
  clock: Clock,
  statFilesystem: StatFilesystem,
): AskSpace {
  const underWay = new Map<string, Lane>();

  const ask = (mount: Mount) => {
    const key = keyOf(mount);
    underWay.set(key, laneOf(mount));
    return statFilesystem(mount.mountPoint).finally(() => underWay.delete(key));
  };

  const askLane = async (lane: Lane, mounts: Mount[], timeUp: Promise<typeof late>) => {
    const answers: [Mount, Space][] = [];
    const hanging = [...underWay.values()].filter((other) => other === lane).length;
    const hangingMounts = mounts.filter((mount) => underWay.has(keyOf(mount)));
    const queue = mounts.filter((mount) => !hangingMounts.includes(mount));
    const worker = async () => {
      for (let mount = queue.shift(); mount !== undefined; mount = queue.shift()) {
        try {
          const answer = await Promise.race([ask(mount), timeUp]);
          if (answer === late) {
            hangingMounts.push(mount);
            return;
          }
          answers.push([mount, answer]);
          failures.worked(partOf(mount));
        } catch (error) {
          failures.failed(partOf(mount), error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.max(0, lanes[lane] - hanging) }, worker));
    for (const mount of hangingMounts) failures.failed(partOf(mount), "it does not answer");
    for (const mount of queue)
      failures.failed(partOf(mount), "not asked, because other file systems do not answer");
    return answers;
  };

  let known: readonly Mount[] = [];
  return async (mounts) => {
    const present = new Set(mounts.map(keyOf));
    for (const mount of known) if (!present.has(keyOf(mount))) failures.worked(partOf(mount));
    known = mounts;
    const done = new AbortController();
    const timeUp = clock.sleep(patienceMs, done.signal).then((): typeof late => late);
    const inLane = (lane: Lane) => mounts.filter((mount) => laneOf(mount) === lane);
    const answers = await Promise.all([
      askLane("local", inLane("local"), timeUp),
      askLane("other", inLane("other"), timeUp),
    ]);
    done.abort();
    return answers.flat();
  };
}

function laneOf({ type }: Mount): Lane {
  return localTypes.has(type) ? "local" : "other";
}

function keyOf({ deviceNumber, mountPoint }: Mount): string {
  return `${deviceNumber} ${mountPoint}`;
}

function partOf({ mountPoint }: Mount): string {
  return `file system at ${mountPoint}`;
}
