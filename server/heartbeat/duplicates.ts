/**
 * Whether one credential is running in more than one process, from the chain of heartbeats.
 *
 * Each process has a random id. A new one takes the place of the one before it: that is a restart.
 * When a process that was replaced is heard of again, it was either a late message from before its
 * end, or it lives and the identity is shared. It certainly lives if it carries a nonce that was
 * issued after it was replaced, or if more time has passed than a message takes. A machine copied
 * while running repeats its process id, and shows itself by counting its heartbeats over again.
 */

/** No heartbeat is on its way for longer than its deadline. */
const LONGEST_MESSAGE_MS = 15_000;

export interface SeenProcess {
  processId: string;
  sequence: bigint;
  /** The nonce of the last reply to it, issued at that time. */
  nonce: string;
  lastSeenAt: Date;
  /** When another process took its place; undefined for the one in place. */
  supersededAt: Date | undefined;
}

export interface Arrival {
  processId: string;
  sequence: bigint;
  nonce: string;
  at: Date;
}

export type Verdict =
  | { kind: "expected" }
  | { kind: "restart" }
  | { kind: "late" }
  | { kind: "shared"; returned: string; replacement: string };

export function judgeArrival(seen: SeenProcess[], arrival: Arrival): Verdict {
  const inPlace = seen.find((process) => process.supersededAt === undefined);
  const known = seen.find((process) => process.processId === arrival.processId);
  if (!inPlace) return { kind: "expected" };
  if (!known) return { kind: "restart" };

  const passed = (since: Date) => arrival.at.getTime() - since.getTime() > LONGEST_MESSAGE_MS;
  const shared: Verdict = {
    kind: "shared",
    returned: known.processId,
    replacement: inPlace.processId,
  };
  if (known.supersededAt === undefined) {
    if (arrival.sequence > known.sequence) return { kind: "expected" };
    return passed(known.lastSeenAt) ? shared : { kind: "late" };
  }
  const answeredSince =
    arrival.nonce === known.nonce && known.lastSeenAt.getTime() > known.supersededAt.getTime();
  return answeredSince || passed(known.supersededAt) ? shared : { kind: "late" };
}
