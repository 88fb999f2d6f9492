import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { MetricQueryService } from "../../../gen/lumetry/v1/metric_query_service_pb.js";
import type { AnyServer } from "../../support/server.ts";
import { METRIC, type PointLoad, pointsOfBatch, type SenderLedger } from "./load.ts";
import { readLog, type StoredBatch } from "./stored.ts";

export interface Accounts {
  problems: string[];
  batches: { acknowledged: number; doubtful: number; stored: number };
}

const MOST_TOLD = 5;

/**
 * Every batch that was answered for is in the log once, whole and as it was sent; one that was given
 * up is there once or not at all; nothing else is there; and queries show the same.
 */
export async function settleAccounts(
  server: AnyServer,
  ownerToken: string,
  load: PointLoad,
): Promise<Accounts> {
  const problems: string[] = [];
  const stored = await readLog(server);
  const bySender = Map.groupBy(stored, ({ senderId }) => senderId);
  let count = 0;
  for (const sender of load.senders) {
    const own = bySender.get(sender.keyId) ?? [];
    count += own.length;
    problems.push(...checkSender(sender, own));
    problems.push(...(await checkKeys(server, sender, own)));
    problems.push(...(await checkQueries(server, ownerToken, sender, own)));
  }
  const { acknowledged, doubtful } = load;
  return { problems, batches: { acknowledged, doubtful, stored: count } };
}

const tell = (what: string, numbers: readonly (number | string)[]): string[] =>
  numbers.length === 0
    ? []
    : [
        `${what}: ${numbers.slice(0, MOST_TOLD).join(", ")}${numbers.length > MOST_TOLD ? " …" : ""}`,
      ];

const shown = (points: StoredBatch["points"]) =>
  points
    .map(({ series, ms, value }) => `${series} ${ms} ${value}`)
    .sort()
    .join(", ");

function checkSender(sender: SenderLedger, own: readonly StoredBatch[]): string[] {
  const { name, startMs, acknowledged, doubtful } = sender;
  const numberOf = ({ points }: StoredBatch) => Math.floor((points[0]?.value ?? Number.NaN) / 10);
  const byNumber = Map.groupBy(own, numberOf);
  const times = (number: number) => byNumber.get(number)?.length ?? 0;
  const sent = acknowledged.union(doubtful);
  const changed = own.filter(
    (batch) => shown(batch.points) !== shown(pointsOfBatch(startMs, numberOf(batch))),
  );
  const strange = [...byNumber.keys()].filter((number) => !sent.has(number));
  return [
    ...tell(
      `lost of ${name}`,
      [...acknowledged].filter((number) => times(number) === 0),
    ),
    ...tell(
      `stored more than once of ${name}`,
      [...sent].filter((number) => times(number) > 1),
    ),
    ...tell(`stored, and never sent by ${name}`, strange),
    ...tell(
      `not as ${name} sent it`,
      changed.map(({ batchId }) => batchId),
    ),
  ];
}

/** The keys that make a retry harmless are those of the batches in the log. */
async function checkKeys(
  server: AnyServer,
  { name, keyId }: SenderLedger,
  own: readonly StoredBatch[],
): Promise<string[]> {
  const rows = await server.sql<{ batch_id: string }>(
    "select batch_id from batches where sender_id = $1",
    [keyId],
  );
  const keys = new Set(rows.map(({ batch_id }) => batch_id));
  const ids = new Set(own.map(({ batchId }) => batchId));
  return [
    ...tell(`in the log of ${name} without a key`, [...ids.difference(keys)]),
    ...tell(`known of ${name}, and not in the log`, [...keys.difference(ids)]),
  ];
}

async function checkQueries(
  server: AnyServer,
  ownerToken: string,
  { name, startMs }: SenderLedger,
  own: readonly StoredBatch[],
): Promise<string[]> {
  const { series } = await server.client(MetricQueryService, ownerToken).queryRange({
    metric: METRIC,
    startTime: timestampFromMs(startMs),
    endTime: timestampFromMs(startMs + 3_600_000),
  });
  const found = series
    .filter(({ labels }) => labels.sender === name)
    .flatMap(({ labels, points }) =>
      points.map(({ time, value }) => ({
        series: labels.part ?? "",
        ms: time ? timestampMs(time) : 0,
        value,
      })),
    );
  const inLog = new Set(own.flatMap(({ points }) => points.map((point) => shown([point]))));
  const inAnswer = new Set(found.map((point) => shown([point])));
  return [
    ...tell(`in the log of ${name}, and not in queries`, [...inLog.difference(inAnswer)]),
    ...tell(`in queries of ${name}, and not in the log`, [...inAnswer.difference(inLog)]),
  ];
}
