import { create, toBinary } from "@bufbuild/protobuf";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  MetricMetadata_Kind as Kind,
  TimeSeriesSchema,
  type WriteMetricsRequest,
  WriteMetricsRequestSchema,
  type WriteMetricsResponse,
} from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Reading } from "../../gen/lumetry/source/v1/reading_pb.js";
import type { Queries } from "../db/transaction.ts";
import { checkWhole } from "../ingest/rules.ts";
import type { Ingest, Prepared } from "../ingest/write.ts";
import { groupIntoSegments } from "../log/grouping.ts";
import { insertSegments } from "../log/store.ts";

/** A reading of one slot of a source, ready to be stored. */
export interface SlotReading {
  sourceId: string;
  slotMs: number;
  reading: Reading;
  prepared: Prepared;
  backOffMs: number;
}

const META = [
  {
    metric: "up",
    kind: Kind.GAUGE,
    unit: "1",
    description: "Whether a source answered as it should: 1, or 0.",
  },
  {
    metric: "poll.duration",
    kind: Kind.GAUGE,
    unit: "s",
    description: "How long a poll of a source took.",
  },
];

/** What a slot is called in the log, where it counts once, whoever reports it. */
export const slotName = (slotMs: number): string => String(slotMs);

/**
 * A reading as a request to write points: with `up` and the duration, and with the slot's time where
 * none is given. More than one request may hold is a reading that failed.
 */
function toRequest(reading: Reading, slotMs: number): WriteMetricsRequest {
  const time = timestampFromMs(slotMs);
  const own = (metric: string, value: number) =>
    create(TimeSeriesSchema, { metric, points: [{ time, value }] });
  const request = create(WriteMetricsRequestSchema, {
    batchId: slotName(slotMs),
    series: [own("up", reading.up ? 1 : 0)],
    metadata: [...META, ...reading.metadata],
  });
  if (reading.duration) {
    request.series.push(own("poll.duration", durationMs(reading.duration) / 1000));
  }
  for (const series of reading.series) {
    for (const point of series.points) point.time ??= time;
    request.series.push(series);
  }
  return request;
}

/** Checks and packs a reading as points of its source. Nothing of it is stored. */
export async function prepareReading(
  ingest: Ingest,
  source: { workspaceId: string; sourceId: string; labels: Record<string, string> },
  slotMs: number,
  reading: Reading,
): Promise<Prepared> {
  let request = toRequest(reading, slotMs);
  const points = request.series.reduce((sum, series) => sum + series.points.length, 0);
  const whole = checkWhole(request, request.series.length, points);
  if (whole) {
    reading.up = false;
    reading.failure = whole.message;
    reading.series = [];
    request = toRequest(reading, slotMs);
  }
  const { workspaceId, sourceId } = source;
  const labels = { ...source.labels, "lumetry.source_id": sourceId };
  const bytes = toBinary(WriteMetricsRequestSchema, request, { writeUnknownFields: false });
  return ingest.prepare({ workspaceId, senderId: sourceId, labels }, Buffer.from(bytes));
}

/**
 * Puts readings into the log and into what is told of their sources, in the caller's transaction.
 * Breaks the constraint KNOWN_BATCH when one of the slots has a result already.
 */
export async function storeReadings(
  queries: Queries,
  workspaceId: string,
  readings: readonly SlotReading[],
  options: { filled: boolean },
): Promise<void> {
  if (readings.length === 0) return;
  const batches = readings
    .map(({ prepared }) => prepared.batch)
    // In one order everywhere, so that no two transactions wait for each other's keys.
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  await insertSegments(queries, groupIntoSegments(batches), batches);
  const rows = [...readings].sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1));
  await queries.query({
    name: "record-polls",
    text: `
      with told as (
        select source_id, max(slot) as slot, count(*) as polls from
          unnest($2::text[], $3::float8[]) as given (source_id, slot) group by source_id
      ), last as (
        select distinct on (source_id) * from unnest($2::text[], $3::float8[], $4::boolean[],
            $5::text[], $6::float8[], $7::jsonb[], $8::bigint[], $9::bigint[], $10::text[],
            $11::float8[])
          as given (source_id, slot, up, failure, duration_ms, phases, accepted, refused, refusal,
            back_off_ms)
        order by source_id, slot desc
      ), locked as (
        select source_id, told.slot, told.polls, scheduled_at from source_polls as polls
          join told using (source_id)
        where workspace_id = $1 order by source_id for update of polls
      ), news as (
        -- What an outage kept back tells of the past: what is newer stands.
        select *, scheduled_at is null or scheduled_at < to_timestamp(slot / 1000) as is_news
        from locked
      )
      update source_polls as polls set
        completed = completed + told.polls,
        filled = filled + case when $12 then told.polls else 0 end,
        scheduled_at = case when is_news then to_timestamp(told.slot / 1000)
          else polls.scheduled_at end,
        reported_at = case when is_news and not $12 then wall_clock() else reported_at end,
        up = case when is_news then last.up else polls.up end,
        failure = case when is_news then last.failure else polls.failure end,
        duration_ms = case when is_news then last.duration_ms else polls.duration_ms end,
        phases = case when is_news then last.phases else polls.phases end,
        accepted = case when is_news then last.accepted else polls.accepted end,
        refused = case when is_news then last.refused else polls.refused end,
        refusal = case when is_news then last.refusal else polls.refusal end,
        failures_in_a_row = case when not is_news then failures_in_a_row
          when last.up then 0 else failures_in_a_row + told.polls end,
        backing_off_until = case when not is_news then backing_off_until
          when last.back_off_ms > 0 then wall_clock() + last.back_off_ms * interval '1 ms' end
      from news as told join last using (source_id)
      where polls.workspace_id = $1 and polls.source_id = told.source_id`,
    values: [
      workspaceId,
      rows.map(({ sourceId }) => sourceId),
      rows.map(({ slotMs }) => slotMs),
      rows.map(({ reading }) => reading.up),
      rows.map(({ reading }) => reading.failure),
      rows.map(({ reading }) => (reading.duration ? durationMs(reading.duration) : null)),
      rows.map(({ reading }) => JSON.stringify(phasesOf(reading))),
      rows.map(({ prepared }) => prepared.response.acceptedPoints),
      rows.map(({ prepared }) => prepared.response.refusedPoints),
      rows.map(({ prepared }) => refusalOf(prepared.response)),
      rows.map(({ backOffMs }) => backOffMs),
      options.filled,
    ],
  });
}

const keyOf = ({ senderId, batchId }: { senderId: string; batchId: string }) =>
  `${senderId}\0${batchId}`;

/** The JSON form of Reading.Phase. */
const phasesOf = ({ phases }: Reading) =>
  phases.map(({ name, duration }) => ({
    name,
    duration: `${((duration ? durationMs(duration) : 0) / 1000).toFixed(6)}s`,
  }));

function refusalOf({ refusals }: WriteMetricsResponse): string {
  const [first] = refusals;
  if (!first) return "";
  return refusals.length === 1 ? first.reason : `${first.reason}; and ${refusals.length - 1} more`;
}
