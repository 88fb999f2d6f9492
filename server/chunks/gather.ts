import { readSegment } from "../log/segment-format.ts";
import type { Piece } from "./block-format.ts";
import { settlePiece } from "./merge.ts";

/** Points of many series, in columns that grow. Of several at one time the one added first stays. */
export interface Gathering {
  readonly points: number;
  /** The points of a segment of the log. Throws DamagedBytes. */
  addSegment(body: Buffer): void;
  add(piece: Piece): void;
  /** A piece for each series that has points, by id. */
  pieces(): Piece[];
}

export interface GatherOptions {
  wants?: (seriesId: number) => boolean;
  /** Only points from one time on, up to but without another. */
  span?: { startMs: number; endMs: number };
  /** Points that there is room for at once, if many are to come: to make room again and again costs more. */
  room?: number;
  /** Asked about the batches of a sender: where to note what series they have points of. */
  noteOf?: (senderId: string) => Set<number>;
}

/** Points that there is room for at first; for none while there are none. */
const FIRST_ROOM = 1024;

/** Puts points together by series. Costs the same whether few series have many points or many few. */
export function gather(options: GatherOptions = {}): Gathering {
  const { wants = () => true, span, room = FIRST_ROOM, noteOf } = options;
  let times = new Float64Array(0);
  let values = new Float64Array(0);
  /** Which series a point is of: its place in `ids`. */
  let places = new Uint32Array(0);
  let points = 0;
  const placeOf = new Map<number, number>();
  const ids: number[] = [];
  const counts: number[] = [];
  /** The place of the point before. */
  let last = -1;
  let sender: string | undefined;
  let note: Set<number> | undefined;

  const grow = (least: number) => {
    const length = Math.max(least, times.length * 2, room);
    const larger = new Float64Array(length);
    larger.set(times);
    times = larger;
    const more = new Float64Array(length);
    more.set(values);
    values = more;
    const longer = new Uint32Array(length);
    longer.set(places);
    places = longer;
  };

  const find = (seriesId: number): number => {
    const found = placeOf.get(seriesId);
    if (found !== undefined) return found;
    placeOf.set(seriesId, ids.length);
    ids.push(seriesId);
    counts.push(0);
    return ids.length - 1;
  };

  /** The first `count` of some columns: views of them for each run would cost more than their points. */
  const add = (
    seriesId: number,
    count: number,
    newTimes: Float64Array,
    newValues: Float64Array,
  ) => {
    // A sender's series come in the same order again and again.
    const place = ids[last + 1] === seriesId ? last + 1 : find(seriesId);
    last = place;
    if (points + count > times.length) grow(points + count);
    let end = points;
    for (let index = 0; index < count; index += 1) {
      const ms = newTimes[index] as number;
      if (span && (ms < span.startMs || ms >= span.endMs)) continue;
      times[end] = ms;
      values[end] = newValues[index] as number;
      places[end] = place;
      end += 1;
    }
    counts[place] = (counts[place] as number) + end - points;
    points = end;
  };

  return {
    get points() {
      return points;
    },

    addSegment(body) {
      // The check of all of it comes first, so that a damaged one adds nothing.
      readSegment(body, wants, ({ batch, seriesId, count, times: newTimes, values: newValues }) => {
        if (noteOf && batch.senderId !== sender) {
          sender = batch.senderId;
          note = noteOf(sender);
        }
        note?.add(seriesId);
        add(seriesId, count, newTimes, newValues);
      });
    },

    add: (piece) => add(piece.seriesId, piece.times.length, piece.times, piece.values),

    pieces() {
      const order = Uint32Array.from(ids.keys());
      order.sort((a, b) => (ids[a] as number) - (ids[b] as number));
      const starts = new Uint32Array(ids.length);
      let start = 0;
      for (const place of order) {
        starts[place] = start;
        start += counts[place] as number;
      }
      // Each point goes to the next free place of its series: the order of arrival is kept.
      const sortedTimes = new Float64Array(points);
      const sortedValues = new Float64Array(points);
      const next = starts.slice();
      for (let index = 0; index < points; index += 1) {
        const place = places[index] as number;
        const at = next[place] as number;
        next[place] = at + 1;
        sortedTimes[at] = times[index] as number;
        sortedValues[at] = values[index] as number;
      }
      const pieces: Piece[] = [];
      for (const place of order) {
        const from = starts[place] as number;
        const to = next[place] as number;
        if (from === to) continue;
        pieces.push(
          settlePiece({
            seriesId: ids[place] as number,
            times: sortedTimes.subarray(from, to),
            values: sortedValues.subarray(from, to),
          }),
        );
      }
      return pieces;
    },
  };
}
