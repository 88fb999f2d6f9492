/** Sources, channels and those who work on them, for the fleet that the console is looked at with. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { MetricMetadata_Kind as Kind } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { ReadingSchema } from "../../gen/lumetry/source/v1/reading_pb.js";
import type { SourceSettingsSchema } from "../../gen/lumetry/source/v1/settings_pb.js";
import { ChannelService } from "../../gen/lumetry/v1/channel_service_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import type { Owner, TestServer } from "./server.ts";
import { addSource, assigned, EVERYTHING, makeDue, workerOf } from "./worker.ts";

const MINUTE_MS = 60_000;
const POLLS = 55;

/** Where the time of a poll goes, in milliseconds. */
const phases = (...parts: [name: string, ms: number][]) => ({
  duration: durationFromMs(parts.reduce((sum, [, ms]) => sum + ms, 0)),
  phases: parts.map(([name, ms]) => ({ name, duration: durationFromMs(ms) })),
});

type Reading = MessageInitShape<typeof ReadingSchema>;

export interface FleetWork {
  /** Answers most of the time. */
  source: string;
  /** Does not. */
  brokenSource: string;
  channel: string;
  /** A message that nobody took. */
  deadLetter: string;
}

export async function addFleetWork(
  server: TestServer,
  owner: Owner,
  collector: { collectorId: string; credential: string },
): Promise<FleetWork> {
  const { collectorId } = collector;
  await server.client(CollectorService, owner.token).updateCollector({
    collectorId,
    grantedCapabilities: { capabilities: EVERYTHING },
  });
  const worker = workerOf(server, collector);
  await worker.claim();
  const now = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;

  /** A source with an hour of polls behind it, as a collector offers them after an outage. */
  const add = async (
    displayName: string,
    kind: MessageInitShape<typeof SourceSettingsSchema>["kind"],
    readingAt: ((minutesAgo: number) => Reading | undefined) | undefined,
    more: { paused?: boolean } = {},
  ) => {
    const { sourceId } = await addSource(server, owner, {
      displayName,
      settings: { kind } as MessageInitShape<typeof SourceSettingsSchema>,
      interval: durationFromMs(MINUTE_MS),
      ...(displayName === "checkout health" && { secrets: { bearerToken: "an-opaque-token" } }),
      ...more,
    });
    if (!readingAt) return sourceId;
    await assigned(server, sourceId, collectorId);
    await server.sql(
      "update source_assignments set started_at = started_at - interval '2 hours' where source_id = $1",
      [sourceId],
    );
    await worker.calls.reportOutageRuns({
      processId: worker.processId,
      runs: Array.from({ length: POLLS }, (_, index) => POLLS - index).flatMap((minutesAgo) => {
        const reading = readingAt(minutesAgo);
        return reading
          ? [{ sourceId, scheduledTime: timestampFromMs(now - minutesAgo * MINUTE_MS), reading }]
          : [];
      }),
    });
    await makeDue(server, sourceId);
    const [poll] = await worker.claim({ mostTests: 0, mostDeliveries: 0 });
    const latest = readingAt(0);
    if (poll && latest) await worker.report(poll, { case: "reading", value: latest });
    return sourceId;
  };

  const source = await add(
    "checkout health",
    {
      case: "httpCheck",
      value: { http: { url: "https://checkout.internal.example.com/health" } },
    },
    (minutesAgo) => {
      if (minutesAgo > 20 && minutesAgo < 26) return undefined;
      const slow = Math.round(4 + 4 * Math.sin(minutesAgo / 5) + 2 * Math.sin(minutesAgo * 3));
      return {
        up: minutesAgo < 38 || minutesAgo > 41,
        failure: minutesAgo < 38 || minutesAgo > 41 ? "" : "the answer has the status 503",
        ...phases(["dns", 2], ["connect", 4 + slow], ["tls", 11], ["first_byte", 38 + slow * 9]),
        series: [{ metric: "http.response.size", points: [{ value: 912 + slow }] }],
        metadata: [
          {
            metric: "http.response.size",
            kind: Kind.GAUGE,
            unit: "By",
            description: "The answer's body.",
          },
        ],
      };
    },
  );
  const brokenSource = await add(
    "orders database",
    { case: "tcpCheck", value: { target: { host: "orders-db.internal.example.com", port: 5432 } } },
    (minutesAgo) => ({
      up: minutesAgo > 9,
      failure: minutesAgo > 9 ? "" : "10.20.4.17:5432 refused the connection",
      ...phases(["dns", 1], ["connect", 3 + (minutesAgo % 3)]),
    }),
  );
  await add(
    "node exporter web-11",
    {
      case: "prometheusScrape",
      value: { http: { url: "http://web-11.internal.example.com:9100/metrics" } },
    },
    (minutesAgo) => ({
      up: true,
      ...phases(
        ["connect", 1],
        ["first_byte", 6],
        ["transfer", 3 + (minutesAgo % 4)],
        ["parse", 2],
      ),
    }),
  );
  await add(
    "certificate of the shop",
    {
      case: "tlsCertificate",
      value: { target: { host: "shop.example.com", port: 443 }, leastDaysLeft: 21 },
    },
    undefined,
    { paused: true },
  );
  await add("public name", { case: "dnsCheck", value: { name: "shop.example.com" } }, undefined);

  const channels = server.client(ChannelService, owner.token);
  const create = async (displayName: string, url: string) => {
    const { channel } = await channels.createChannel({
      displayName,
      url,
      zoneId: owner.zoneId,
      headers: { "x-team": "operations" },
    });
    return channel?.channelId ?? "";
  };
  const channel = await create("on call", "https://hooks.internal.example.com/lumetry?team=ops");
  await create("change log", "https://log.internal.example.com/in");
  const send = async (...answers: [httpStatus: number, failure: string][]) => {
    const sent = channels.sendTestMessage({ channelId: channel });
    let deliveryId = "";
    for (const [httpStatus, failure] of answers) {
      const items = await worker.claim({ wait: durationFromMs(10_000), mostPolls: 0 });
      const item = items.find(({ task }) => task.case === "deliver");
      if (!item) throw new Error("no message came");
      await worker.report(item, {
        case: "delivery",
        value: { httpStatus, failure, duration: durationFromMs(120) },
      });
      deliveryId ||= (await sent).delivery?.deliveryId ?? "";
      await server.sql(
        "update work_items set due_at = wall_clock() where subject_id = $1 and state = 'due'",
        [deliveryId],
      );
    }
    return deliveryId;
  };
  await send([204, ""]);
  const deadLetter = await send([503, ""], [0, "nobody answered in time"], [410, ""]);
  await send([500, ""]);
  // Nobody goes on polling here: what was assigned stays so, and nothing is late while it is looked at.
  await server.sql("update workers set lease_until = wall_clock() + interval '1 day'");
  await server.sql(
    "update work_items set due_at = due_at + interval '5 minutes' where kind = 'poll'",
  );
  return { source, brokenSource, channel, deadLetter };
}
