import type { Metadata, Sample, Sampler } from "../../edge/host-metrics/sampler.ts";
import type { WorkStatus } from "./work.ts";

const about: Metadata[] = [
  ["collector.work.sources", "gauge", "{source}", "Sources assigned to this collector"],
  ["collector.work.slots", "gauge", "{slot}", "How much of a kind of work can run at once"],
  ["collector.work.running", "gauge", "{slot}", "How much of a kind of work runs"],
  ["collector.work.waiting", "gauge", "{poll}", "Polls that wait for a slot"],
  ["collector.work.slow", "gauge", "{poll}", "Polls under way that take more than a second"],
  ["collector.work.lateness", "gauge", "s", "The latest start of a poll since the last sample"],
  ["collector.work.started", "counter", "{poll}", "Polls that were started"],
  ["collector.work.skipped", "counter", "{poll}", "Polls that found no slot in time"],
  ["collector.work.stale", "counter", "{report}", "Reports that came too late"],
  [
    "collector.work.outage.waiting",
    "gauge",
    "{poll}",
    "Polls of an outage that are still to be told",
  ],
  ["collector.work.outage.lost", "counter", "{poll}", "Polls of an outage that were lost"],
].map(
  ([metric = "", kind, unit = "", description = ""]) =>
    ({ metric, kind, unit, description }) as Metadata,
);

function samplesOf(status: WorkStatus): Sample[] {
  const { polls, tests, deliveries, outageRuns, reports } = status;
  const sample = (metric: string, value: number, labels: Record<string, string> = {}): Sample => ({
    metric: `collector.work.${metric}`,
    labels,
    value,
  });
  return [
    sample("sources", status.sources),
    ...Object.entries({ poll: polls, test: tests, deliver: deliveries }).flatMap(([kind, lane]) => [
      sample("slots", lane.slots, { kind }),
      sample("running", lane.running, { kind }),
    ]),
    sample("waiting", polls.waiting),
    sample("slow", polls.slow),
    sample("lateness", polls.latenessMs / 1000),
    sample("started", polls.started),
    sample("skipped", polls.skipped),
    sample("stale", reports.stale),
    sample("outage.waiting", outageRuns.waiting),
    sample("outage.lost", outageRuns.lost),
  ];
}

/** Adds how work goes to what another sampler tells, once there was any work. */
export function withWork(sampler: Sampler, takeStatus: () => WorkStatus | undefined): Sampler {
  let hadWork = false;
  return {
    metadata: [...sampler.metadata, ...about],
    async sample() {
      const samples = await sampler.sample();
      const status = takeStatus();
      hadWork ||= status !== undefined && (status.sources > 0 || status.polls.started > 0);
      return status && hadWork ? [...samples, ...samplesOf(status)] : samples;
    },
    isComplete: () => sampler.isComplete(),
  };
}
