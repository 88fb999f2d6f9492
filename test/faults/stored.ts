import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  MetricQueryService,
  LabelMatcher_Operation as Operation,
} from "../../gen/lumetry/v1/metric_query_service_pb.js";
import type { AnyInstallation } from "../support/edge-installation.ts";
import { LOAD } from "../support/load.ts";

/** A sample as queries show it. */
export interface StoredSample {
  /** How many series have a point of it, and at which times. */
  points: number;
  times: Set<number>;
}

/** So that an answer stays below a million points. */
const PART_MS = 300_000;

/** Everything that queries show of a loaded edge from a time on, by the samples' numbers. */
export async function readStored(
  installation: AnyInstallation,
  fromMs: number,
): Promise<Map<number, StoredSample>> {
  const { server, owner, kind } = installation;
  const own = { label: `lumetry.${kind}_id`, value: await installation.edgeId() };
  const query = server.client(MetricQueryService, owner.token);
  const samples = new Map<number, StoredSample>();
  const untilMs = Date.now() + 1;
  for (let partMs = fromMs; partMs < untilMs; partMs += PART_MS) {
    const { series } = await query.queryRange({
      metric: LOAD,
      matchers: [{ ...own, operation: Operation.EQUAL }],
      startTime: timestampFromMs(partMs),
      endTime: timestampFromMs(Math.min(partMs + PART_MS, untilMs)),
    });
    for (const { time, value } of series.flatMap(({ points }) => points)) {
      const sample = samples.get(value) ?? { points: 0, times: new Set() };
      sample.points += 1;
      sample.times.add(time ? timestampMs(time) : Number.NaN);
      samples.set(value, sample);
    }
  }
  return samples;
}
