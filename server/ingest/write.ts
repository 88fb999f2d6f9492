import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type WriteMetricsRequest,
  WriteMetricsRequestSchema,
  type WriteMetricsResponse,
  WriteMetricsResponseSchema,
} from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Clock } from "../../lib/clock.ts";
import type { Appended, Batch, PointLog } from "../log/log.ts";
import type { SeriesResolver } from "../log/series.ts";
import { answerOf } from "./answer.ts";
import { type Draft, makeDrafts, type Reading } from "./draft.ts";
import { readRequest } from "./encoded.ts";
import type { MetadataKeeper } from "./metadata.ts";
import { checkWhole, type WholeProblem, windowOf } from "./rules.ts";
import type { Sender } from "./sender.ts";

/** Nothing of a request can be taken, for a reason that is its sender's. */
export class RefusedRequest extends Error {
  override name = "RefusedRequest";
  readonly kind: WholeProblem["kind"];

  constructor({ kind, message }: WholeProblem) {
    super(message);
    this.kind = kind;
  }
}

/** The way of points into the log, whatever brought them. */
export interface Ingest {
  /**
   * Stores what can be stored of an encoded WriteMetricsRequest, and answers what the batch was
   * answered first. `confirm` is called last before the points go into the log if anything had to
   * be waited for until then, and may throw. Rejects with RefusedRequest, or as PointLog.append does.
   */
  write(
    sender: Sender,
    request: Buffer,
    options?: { confirm?: () => Promise<unknown>; signal?: AbortSignal },
  ): Promise<Appended>;
  /**
   * The same up to the log: what would be stored, and the answer, for somebody who stores it in a
   * transaction of their own. Rejects with RefusedRequest.
   */
  prepare(sender: Sender, request: Buffer): Promise<Prepared>;
}

export interface Prepared {
  batch: Batch;
  response: WriteMetricsResponse;
}

export function makeIngest(parts: {
  series: SeriesResolver;
  metadata: MetadataKeeper;
  points: PointLog;
  clock: Clock;
  retentionMs: number;
  /** Told of each batch once, however often it is sent. */
  onWritten?: (accepted: number, refused: number) => void;
}): Ingest {
  const { series: resolver, metadata, points: log, clock, retentionMs, onWritten } = parts;
  const drafts = makeDrafts(clock);

  /** Undefined when the general decoder has to look at the bytes first. */
  const begin = (sender: Sender, bytes: Buffer) => {
    const request = readRequest(bytes);
    if (!request || checkWhole(request, request.series.length / 2, 0)) return undefined;
    const { clockOffset } = request;
    const clockOffsetMs = clockOffset ? Math.round(durationMs(clockOffset)) : 0;
    const window = windowOf(clock.now(), retentionMs, clockOffsetMs);
    const reading = { bytes, request, clockOffsetMs, window };
    const draft = drafts.pack(sender, reading, NONE_FOUND);
    return draft && { reading, draft };
  };

  /** The same request once more, when its series are known or known to be too many. */
  const resolve = async (sender: Sender, reading: Reading, { unknown }: Draft): Promise<Draft> => {
    const names = unknown.map(({ name }) => name);
    const ids = await resolver.resolve(sender.workspaceId, names);
    const found = new Map(unknown.map(({ index }, place) => [index, ids[place]]));
    for (const [place, series] of unknown.entries()) {
      const id = ids[place];
      if (id !== undefined) drafts.remember(sender, reading, series, id);
    }
    return read(drafts.pack(sender, reading, found));
  };

  /** What is to be stored. `confirm` is called last if anything had to be waited for. */
  const draw = async (
    sender: Sender,
    bytes: Buffer,
    confirm?: () => Promise<unknown>,
  ): Promise<Draft> => {
    const begun = read(begin(sender, bytes) ?? begin(sender, inPlainForm(bytes)));
    const { reading } = begun;
    const { metadata: meanings } = reading.request;
    const waits = begun.draft.unknown.length > 0 || meanings.length > 0;
    const draft =
      begun.draft.unknown.length > 0 ? await resolve(sender, reading, begun.draft) : begun.draft;
    if (meanings.length > 0) await metadata.keep(sender.workspaceId, meanings);
    if (waits) await confirm?.();
    return draft;
  };

  return {
    async prepare(sender, bytes) {
      const { batch } = await draw(sender, bytes);
      return { batch, response: fromBinary(WriteMetricsResponseSchema, answerOf(batch)) };
    },

    async write(sender, bytes, { confirm, signal } = {}) {
      const { batch, refusedPoints } = await draw(sender, bytes, confirm);
      // Nothing to keep, and nothing by which a repeat could be known.
      const nothing = !batch.packed && batch.batchId === "";
      const appended = nothing ? batch : await log.append(batch, signal);
      if (appended === batch) onWritten?.(batch.accepted, refusedPoints);
      return appended;
    },
  };
}

const NONE_FOUND: ReadonlyMap<number, undefined> = new Map();

/** What was read, which must be there: in the form that `inPlainForm` gives, all can be. */
function read<Result>(result: Result | undefined): Result {
  if (result === undefined) throw new Error("a request in its plain form could not be read");
  return result;
}

/**
 * The same request as the general decoder understands it, encoded anew. Throws RefusedRequest when
 * it cannot be read, or is not to be taken as a whole.
 */
function inPlainForm(bytes: Uint8Array): Buffer {
  let request: WriteMetricsRequest;
  try {
    request = fromBinary(WriteMetricsRequestSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    const message = `parse binary: ${(error as Error).message}`;
    throw new RefusedRequest({ kind: "invalid", message });
  }
  const points = request.series.reduce((sum, series) => sum + series.points.length, 0);
  const problem = checkWhole(request, request.series.length, points);
  if (problem) throw new RefusedRequest(problem);
  return Buffer.from(toBinary(WriteMetricsRequestSchema, request));
}
