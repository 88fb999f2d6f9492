/** The points that everybody gets: like those of hosts, some counters, some noisy, some constant. */
import { randomFrom } from "../../edge/queue/fixtures.ts";

export interface BenchSeries {
  index: number;
  labels: Record<string, string>;
  /** The values at so many steps, from the start on. */
  values(steps: number): Float64Array;
}

export const METRICS = 2;
export const metricName = (index: number) => `bench_metric_${index % METRICS}`;

const KINDS: ((random: () => number) => (step: number) => number)[] = [
  (random) => {
    let total = Math.floor(random() * 1e9);
    return () => {
      total += Math.floor(random() * 5_000);
      return total;
    };
  },
  (random) => (step) => Math.round((50 + 20 * Math.sin(step / 120) + random() * 4) * 1000) / 1000,
  (random) => () => Math.round(random() * 100) / 100,
  (random) => {
    let bytes = 4e9;
    return () => {
      bytes += 4096 * Math.floor((random() - 0.5) * 1_000);
      return bytes;
    };
  },
  (random) => {
    const limit = Math.floor(random() * 1e12);
    return () => limit;
  },
];

export function makeSeries(index: number): BenchSeries {
  return {
    index,
    labels: { host: `host-${Math.floor(index / METRICS)}`, series: String(index) },
    values(steps) {
      const random = randomFrom(index + 1);
      const next = (KINDS[index % KINDS.length] as (typeof KINDS)[number])(random);
      return Float64Array.from({ length: steps }, (_, step) => next(step));
    },
  };
}
