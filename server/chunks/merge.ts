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

/** Makes one piece of several of the same series, the oldest to arrive first: its points stay. */
function makeJoiner(): (pieces: readonly Piece[]) => Piece {
  // Series that were measured together have their times in common; joined, they have them still.
  let before: readonly Piece[] = [];
  let joined = new Float64Array(0);
  const isAsBefore = (pieces: readonly Piece[]) =>
    pieces.length === before.length &&
    pieces.every(({ times }, index) => times === before[index]?.times);
  return (pieces) => {
    const [first] = pieces;
    if (!first) throw new Error("there is nothing to join");
    if (pieces.length === 1) return first;
    if (!isAsBefore(pieces)) {
      before = pieces;
      joined = concat(pieces.map(({ times }) => times));
    }
    const values = concat(pieces.map((piece) => piece.values));
    return settlePiece({ seriesId: first.seriesId, times: joined, values });
  };
}

function concat(arrays: readonly Float64Array[]): Float64Array<ArrayBuffer> {
  let length = 0;
  for (const array of arrays) length += array.length;
  const all = new Float64Array(length);
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
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
  const join = makeJoiner();
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
    yield join(same);
  }
}

/** What of a piece is in one span of time. */
export interface Cut {
  startMs: number;
  piece: Piece;
}

/** A piece cut at the multiples of a span of time. */
export function cutEvery(piece: Piece, spanMs: number): Cut[] {
  const { seriesId, times, values } = piece;
  const cuts: Cut[] = [];
  for (let from = 0; from < times.length; ) {
    const startMs = Math.floor((times[from] as number) / spanMs) * spanMs;
    let to = times.length;
    if ((times[to - 1] as number) >= startMs + spanMs) {
      to = from + 1;
      while ((times[to] as number) < startMs + spanMs) to += 1;
    }
    const isAll = from === 0 && to === times.length;
    cuts.push({
      startMs,
      piece: isAll
        ? piece
        : { seriesId, times: times.subarray(from, to), values: values.subarray(from, to) },
    });
    from = to;
  }
  return cuts;
}

/** A piece cut where windows begin. */
export const cutByWindow = (piece: Piece): { windowStart: number; piece: Piece }[] =>
  cutEvery(piece, WINDOW_MS).map(({ startMs, piece: cut }) => ({
    windowStart: startMs,
    piece: cut,
  }));
