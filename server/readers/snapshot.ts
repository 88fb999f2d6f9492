/**
 * Which transactions are over and seen, as PostgreSQL's pg_snapshot: all below `xmax` but those
 * in `running`. A reader's place in the log is one of these, since numbers alone do not tell what a
 * slow writer is still going to commit behind those that came later.
 */
export interface Snapshot {
  xmax: bigint;
  /** Ascending. */
  running: bigint[];
}

/** Reads the text form of a pg_snapshot, "xmin:xmax:running,running". */
export function parseSnapshot(text: string): Snapshot {
  const match = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(text);
  if (!match) throw new Error(`${JSON.stringify(text)} is not a snapshot`);
  const [, , xmax = "", running = ""] = match;
  return {
    xmax: BigInt(xmax),
    running: running === "" ? [] : running.split(",").map(BigInt),
  };
}

export function formatSnapshot({ xmax, running }: Snapshot): string {
  return `${running[0] ?? xmax}:${xmax}:${running.join(",")}`;
}

/** Whether what the transaction has written is seen. */
export function sees({ xmax, running }: Snapshot, id: bigint): boolean {
  return id < xmax && !running.includes(id);
}

/** What is seen after everything that `now` sees up to transaction `through` was read as well. */
export function advance(seen: Snapshot, now: Snapshot, through: bigint): Snapshot {
  const end = through + 1n < now.xmax ? through + 1n : now.xmax;
  const xmax = end > seen.xmax ? end : seen.xmax;
  const running = [
    ...seen.running.filter((id) => id > through || !sees(now, id)),
    ...now.running.filter((id) => id >= seen.xmax && id <= through),
  ];
  return { xmax, running };
}
