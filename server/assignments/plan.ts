/** Who is to poll what, as a pure decision: everybody the same share, and as few moves as that takes. */

export interface PlannedSource {
  sourceId: string;
  /** Who has it now; undefined for nobody. */
  holder: string | undefined;
}

export interface Move {
  sourceId: string;
  from: string | undefined;
  to: string;
}

/**
 * The moves after which no collector has more than one source more than another. A source stays
 * where it is if it can; while nobody is there to take them, all stay with those who had them.
 */
export function planAssignments(
  collectors: readonly string[],
  sources: readonly PlannedSource[],
): Move[] {
  if (collectors.length === 0) return [];
  const held = new Map<string, PlannedSource[]>([...collectors].sort().map((id) => [id, []]));
  const homeless: PlannedSource[] = [];
  for (const source of sources) {
    const holder = source.holder === undefined ? undefined : held.get(source.holder);
    (holder ?? homeless).push(source);
  }
  // Those who have most keep the one that is over when the sources cannot be divided evenly.
  const byLoad = [...held].sort(([, a], [, b]) => b.length - a.length);
  const least = Math.floor(sources.length / collectors.length);
  let over = sources.length % collectors.length;
  const shares = byLoad.map(([collectorId, have]) => {
    const share = over > 0 ? least + 1 : least;
    if (over > 0) over -= 1;
    homeless.push(...have.slice(share));
    return { collectorId, free: share - Math.min(share, have.length) };
  });
  const moves: Move[] = [];
  for (const { collectorId, free } of shares) {
    for (const { sourceId, holder } of homeless.splice(0, free)) {
      moves.push({ sourceId, from: holder, to: collectorId });
    }
  }
  return moves;
}
