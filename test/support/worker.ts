import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Capability } from "../../gen/lumetry/access/v1/access_pb.js";
import type { WorkItem } from "../../gen/lumetry/edge/v1/work_pb.js";
import {
  type ClaimWorkRequestSchema,
  type ReportResult,
  type WorkReportSchema,
  WorkService,
} from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { ReadingSchema } from "../../gen/lumetry/source/v1/reading_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import {
  type CreateSourceRequestSchema,
  type Source,
  SourceService,
} from "../../gen/lumetry/v1/source_service_pb.js";
import { addCollector } from "./collector.ts";
import { eventually } from "./eventually.ts";
import type { AnyServer, TestServer } from "./server.ts";

export const EVERYTHING = [
  Capability.POLL_SOURCE,
  Capability.TEST_SOURCE,
  Capability.DELIVER_WEBHOOK,
];

type Outcome = MessageInitShape<typeof WorkReportSchema>["outcome"];

/** One process of a collector that takes work, made by hand so that a test decides what it does. */
export function workerOf(
  server: AnyServer,
  { collectorId, credential }: { collectorId: string; credential: string },
) {
  const processId = randomUUID();
  const calls = server.client(WorkService, credential);
  const reportAll = (reports: MessageInitShape<typeof WorkReportSchema>[]) =>
    calls.reportWork({ processId, reports });
  return {
    collectorId,
    credential,
    processId,
    calls,
    reportAll,
    async claim(more: MessageInitShape<typeof ClaimWorkRequestSchema> = {}): Promise<WorkItem[]> {
      const { items } = await calls.claimWork({
        processId,
        capabilities: EVERYTHING,
        mostPolls: 100,
        mostTests: 10,
        mostDeliveries: 10,
        assignmentsRevision: await known(),
        ...more,
      });
      return items;
    },
    async report(
      item: WorkItem,
      outcome: NonNullable<Outcome>,
      backOffMs?: number,
    ): Promise<ReportResult> {
      const { results } = await reportAll([
        {
          claim: { workId: item.workId, claimToken: item.claimToken, fence: item.fence },
          outcome,
          ...(backOffMs !== undefined && { backOff: durationFromMs(backOffMs) }),
        },
      ]);
      const [result] = results;
      if (!result) throw new Error("the report was not answered");
      return result;
    },
    async renew(item: WorkItem): Promise<number | undefined> {
      const { workId, claimToken, fence } = item;
      const { renewals } = await calls.renewLeases({
        processId,
        claims: [{ workId, claimToken, fence }],
      });
      const lease = renewals[0]?.lease;
      return lease && Number(lease.seconds) * 1000 + lease.nanos / 1e6;
    },
    twin: () => workerOf(server, { collectorId, credential }),
  };

  async function known(): Promise<bigint> {
    const [row] = await server.sql<{ assignments_revision: string }>(
      "select assignments_revision from workers where collector_id = $1",
      [collectorId],
    );
    return BigInt(row?.assignments_revision ?? 0);
  }
}

export type HandWorker = ReturnType<typeof workerOf>;

/** Enrolls a collector that may do everything, or what is said. */
export async function addWorker(
  server: AnyServer,
  admin: { token: string; zoneId: string },
  capabilities: Capability[] = EVERYTHING,
): Promise<HandWorker> {
  const collector = await addCollector(server, admin);
  await server.client(CollectorService, admin.token).updateCollector({
    collectorId: collector.collectorId,
    grantedCapabilities: { capabilities },
  });
  return workerOf(server, collector);
}

let lastName = 0;

/** A source that is polled every five seconds unless told otherwise. */
export async function addSource(
  server: AnyServer,
  admin: { token: string; zoneId: string },
  more: Partial<
    Omit<MessageInitShape<typeof CreateSourceRequestSchema>, "$typeName" | "$unknown">
  > = {},
): Promise<Source> {
  lastName += 1;
  const request: MessageInitShape<typeof CreateSourceRequestSchema> = {
    displayName: `source ${lastName}`,
    zoneId: admin.zoneId,
    settings: tcpCheck("10.0.0.1", 80),
    interval: durationFromMs(5_000),
    ...more,
  } as MessageInitShape<typeof CreateSourceRequestSchema>;
  const { source } = await server.client(SourceService, admin.token).createSource(request);
  if (!source) throw new Error("no source was made");
  return source;
}

export const tcpCheck = (host: string, port: number) =>
  ({ kind: { case: "tcpCheck", value: { target: { host, port } } } }) as const;

/** A reading with one sample. */
export const reading = (
  value: number,
  more: MessageInitShape<typeof ReadingSchema> = {},
): NonNullable<Outcome> => ({
  case: "reading",
  value: {
    up: true,
    duration: durationFromMs(12),
    series: [{ metric: "answer", points: [{ value }] }],
    ...more,
  },
});

/** Waits until a source is assigned to a collector. */
export async function assigned(
  server: TestServer,
  sourceId: string,
  collectorId?: string,
): Promise<string> {
  return eventually(`${sourceId} is assigned to ${collectorId ?? "somebody"}`, async () => {
    const [row] = await server.sql<{ assigned_to: string | null }>(
      "select assigned_to from work_items where subject_id = $1",
      [sourceId],
    );
    const holder = row?.assigned_to ?? undefined;
    return collectorId === undefined || holder === collectorId ? holder : undefined;
  });
}

/** Makes the source's next slot the one that has just come, as if its interval had passed. */
export async function makeDue(server: TestServer, sourceId: string): Promise<void> {
  await server.sql(
    `update work_items set due_at = date_bin(every, wall_clock(), origin) where subject_id = $1`,
    [sourceId],
  );
}

/**
 * Lets time pass a hundred times slower for the database, so that on a machine that is busy with
 * other things no lease runs out which a test has not ended itself.
 */
export async function slowDown(server: AnyServer): Promise<void> {
  await server.sql(`
    do $$ begin execute format($text$
      create or replace function wall_clock() returns timestamptz language sql volatile parallel safe
      as $body$ select %1$L::timestamptz + (clock_timestamp() - %1$L::timestamptz) / 100 $body$
    $text$, clock_timestamp()); end $$`);
}
