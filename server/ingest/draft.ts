import type { Clock } from "../../lib/clock.ts";
import { makeRecentMap } from "../../lib/recent-map.ts";
import { CATALOG_BELIEVED_MS } from "../catalog/archive.ts";
import type { Batch } from "../log/log.ts";
import { makeBatchPacker } from "../log/segment-format.ts";
import type { SeriesName } from "../log/series.ts";
import { answerToKeep } from "./answer.ts";
import { type EncodedRequest, findPoints, makePointReader, readName } from "./encoded.ts";
import { makeKnownSeries } from "./known-series.ts";
import { nameSeries, textOfSender } from "./naming.ts";
import { collectRefusals, type Refusals } from "./refusals.ts";
import { labelsProblem, MOST_POINTS, metricProblem, pointProblem, type Window } from "./rules.ts";
import type { Sender } from "./sender.ts";

/** Memory for the names of series that were seen lately. */
const NAMES_BYTES = 256 << 20;
const SENDERS_BYTES = 16 << 20;
const FULL = "the workspace has as many series as it may have; new ones are refused";

/** A request as it lies in memory, and what its points are judged by. */
export interface Reading {
  bytes: Buffer;
  request: EncodedRequest;
  clockOffsetMs: number;
  window: Window;
}

/** A series that has good points and whose id is not known. */
export interface UnknownSeries {
  index: number;
  /** Where its name lies in the request. */
  start: number;
  end: number;
  name: SeriesName;
}

/** What a request comes to. While some of its series are unknown, their points are in it nowhere. */
export interface Draft {
  batch: Batch;
  refusedPoints: number;
  unknown: UnknownSeries[];
}

export interface Drafts {
  /**
   * Packs what is good and says what is not, in one pass over the bytes. `found` has the ids of
   * series by their place in the request, undefined for those that the workspace may not have.
   * Undefined when the general decoder has to look at the request first, or it has too many points.
   */
  pack(
    sender: Sender,
    reading: Reading,
    found: ReadonlyMap<number, number | undefined>,
  ): Draft | undefined;
  /** From now on a series of a request is known. */
  remember(sender: Sender, reading: Reading, series: UnknownSeries, seriesId: number): void;
}

export function makeDrafts(clock: Clock): Drafts {
  const known = makeKnownSeries(NAMES_BYTES, { forgetAfterMs: CATALOG_BELIEVED_MS, clock });
  // A number is sooner compared than a text.
  const numbersOfTexts = makeRecentMap<number>(SENDERS_BYTES);
  const numbers = new WeakMap<Sender, number>();
  let lastNumber = 0;
  const numberOf = (sender: Sender): number => {
    const before = numbers.get(sender);
    if (before !== undefined) return before;
    const text = textOfSender(sender);
    let number = numbersOfTexts.get(text);
    if (number === undefined) {
      lastNumber += 1;
      number = lastNumber;
      numbersOfTexts.set(text, number);
    }
    numbers.set(sender, number);
    return number;
  };

  // One request at a time, from its first byte to its last: so these can be shared.
  const packer = makeBatchPacker();
  const points = makePointReader();

  const hasGoodPoint = (window: Window): boolean => {
    const { count, times, values } = points;
    for (let place = 0; place < count; place += 1) {
      const [ms, value] = [times[place] as number, values[place] as number];
      if (pointProblem(ms, value, window) === undefined) return true;
    }
    return false;
  };

  /** Packs the good points of a series, if its id is known, and says why the others are refused. */
  const packSeries = (
    index: number,
    id: number | undefined,
    window: Window,
    refusals: Refusals,
  ): void => {
    const { count, times, values } = points;
    let good = 0;
    for (let place = 0; place < count; place += 1) {
      const ms = times[place] as number;
      const value = values[place] as number;
      const problem = pointProblem(ms, value, window);
      if (problem !== undefined) {
        refusals.point(index, place, problem);
        continue;
      }
      times[good] = ms;
      values[good] = value;
      good += 1;
    }
    refusals.endSeries(count);
    if (id !== undefined) packer.run(id, good, times, values);
  };

  return {
    pack(sender, { bytes, request, clockOffsetMs, window }, found) {
      const { workspaceId, senderId } = sender;
      const { batchId, series } = request;
      const senderNumber = numberOf(sender);
      const name = { view: viewOf(bytes), start: 0, end: 0 };
      const refusals = collectRefusals();
      const unknown: UnknownSeries[] = [];
      let total = 0;
      known.forgetOld();
      packer.begin({ senderId, batchId, clockOffsetMs });
      for (let index = 0; index * 2 < series.length; index += 1) {
        const start = series[index * 2] as number;
        const end = series[index * 2 + 1] as number;
        const nameEnd = findPoints(bytes, start, end);
        if (nameEnd < 0 || !points.read(bytes, name.view, nameEnd, end)) return undefined;
        total += points.count;
        if (total > MOST_POINTS) return undefined;
        name.start = start;
        name.end = nameEnd;
        const id = found.get(index) ?? known.find(senderNumber, name);
        if (id === undefined) {
          const given = readName(bytes, start, nameEnd);
          if (!given) return undefined;
          const problem =
            metricProblem(given.metric) ??
            labelsProblem(given.labels) ??
            (found.has(index) ? FULL : undefined);
          if (problem !== undefined) {
            refusals.series(index, points.count, problem);
            continue;
          }
          // A series without one good point is not worth an entry in the catalog.
          if (hasGoodPoint(window)) {
            const called = nameSeries(sender, given.metric, given.labels);
            unknown.push({ index, start, end: nameEnd, name: called });
          }
        }
        packSeries(index, id, window, refusals);
      }
      const packed = packer.finish();
      const accepted = packed?.points ?? 0;
      const answer = answerToKeep(accepted, refusals);
      return {
        batch: { workspaceId, senderId, batchId, accepted, answer, packed },
        refusedPoints: refusals.points,
        unknown,
      };
    },
    remember(sender, { bytes }, { start, end }, seriesId) {
      known.set(numberOf(sender), { view: viewOf(bytes), start, end }, seriesId);
    },
  };
}

const viewOf = ({ buffer, byteOffset, length }: Buffer) => new DataView(buffer, byteOffset, length);
