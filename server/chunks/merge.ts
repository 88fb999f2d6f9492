import type { Piece } from "./block-format.ts";
import { WINDOW_MS } from "./windows.ts";

/** The points in order of time; of several at one time the first one stays. */
export function settlePiece(piece: Piece): Piece {
  const { seriesId, times, values } = piece;
  let ascending = true;
  for (let index = 1; index < times.length && ascending; index += 1) {
    ascending = (times[index] as number) > (times[index - 1] as number);
  }
  if (ascending) return piece;
  const order = Uint32Array.from(times.keys());
  order.sort((a, b) => (times[a] as number) - (times[b] as number) || a - b);
  const newTimes = new Float64Array(times.length);
  const newValues = new Float64Array(times.length);
  let count = 0;
  for (const index of order) {
    const ms = times[index] as number;
    if (count > 0 && newTimes[count - 1] === ms) continue;
    newTimes[count] = ms;
    newValues[count] = values[index] as number;
    count += 1;
  }
  return { seriesId, times: newTimes.subarray(0, count), values: newValues.subarray(0, count) };
}

/** One piece of several of the same series, the oldest to arrive first: its points stay. */
export function joinPieces(pieces: readonly Piece[]): Piece {
  const [first] = pieces;
  if (!first) throw new Error("there is nothing to join");
  if (pieces.length === 1) return first;
  const count = pieces.reduce((sum, { times }) => sum + times.length, 0);
  const times = new Float64Array(count);
  const values = new Float64Array(count);
  let at = 0;
  for (const piece of pieces) {
    times.set(piece.times, at);
    values.set(piece.values, at);
    at += piece.times.length;
  }
  return settlePiece({ seriesId: first.seriesId, times, values });
}

/**
 * The pieces of several sources, each in order of series id, joined by series. The sources are in
 * order of arrival, the oldest first.
 */
export function* mergePieces(sources: readonly Iterable<Piece>[]): Generator<Piece> {
  const heads = sources.map((source) => {
    const iterator = source[Symbol.iterator]();
    return { iterator, next: iterator.next() };
  });
  for (;;) {
    let least = Number.POSITIVE_INFINITY;
    for (const { next } of heads) {
      if (!next.done && next.value.seriesId < least) least = next.value.seriesId;
    }
    if (least === Number.POSITIVE_INFINITY) return;
    const same: Piece[] = [];
    for (const head of heads) {
      while (!head.next.done && head.next.value.seriesId === least) {
        same.push(head.next.value);
        head.next = head.iterator.next();
      }
    }
    yield joinPieces(same);
  }
}

/** A piece cut where windows begin. */
export function* cutByWindow(piece: Piece): Generator<{ windowStart: number; piece: Piece }> {
  for (const { startMs, piece: cut } of cutEvery(piece, WINDOW_MS)) {
    yield { windowStart: startMs, piece: cut };
  }
}

/** A piece cut at the multiples of a span of time. */
export function* cutEvery(
  piece: Piece,
  spanMs: number,
): Generator<{ startMs: number; piece: Piece }> {
  const { seriesId, times, values } = piece;
  for (let from = 0; from < times.length; ) {
    const startMs = Math.floor((times[from] as number) / spanMs) * spanMs;
    let to = times.length;
    if ((times[to - 1] as number) >= startMs + spanMs) {
      to = from + 1;
      while ((times[to] as number) < startMs + spanMs) to += 1;
    }
    const isAll = from === 0 && to === times.length;
    yield {
      startMs,
      piece: isAll
        ? piece
        : { seriesId, times: times.subarray(from, to), values: values.subarray(from, to) },
    };
    from = to;
  }
}
