/**
 * Run as a process of its own: takes work as a collector with the credential of its environment,
 * and ends when it is killed. What it was told of each report is a line on standard output.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Capability } from "../../gen/lumetry/access/v1/access_pb.js";
import type { WorkItem } from "../../gen/lumetry/edge/v1/work_pb.js";
import { type WorkReportSchema, WorkService } from "../../gen/lumetry/edge/v1/work_service_pb.js";

const { WORK_SERVER = "", WORK_CREDENTIAL = "", WORK_CA = "" } = process.env;

const transport = createConnectTransport({
  baseUrl: WORK_SERVER,
  httpVersion: "1.1",
  nodeOptions: WORK_CA ? { ca: readFileSync(WORK_CA) } : {},
  interceptors: [
    (next) => (request) => {
      request.header.set("authorization", `Bearer ${WORK_CREDENTIAL}`);
      return next(request);
    },
  ],
});
const calls = createClient(WorkService, transport);
const processId = randomUUID();
const nap = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function outcomeOf(item: WorkItem): MessageInitShape<typeof WorkReportSchema>["outcome"] {
  if (item.task.case === "deliver") {
    // A tenth of the receivers cannot be reached at first.
    return { case: "delivery", value: { httpStatus: Math.random() < 0.1 ? 503 : 200 } };
  }
  const series = [{ metric: "fault", points: [{ value: Math.random() }] }];
  return { case: "reading", value: { up: true, series } };
}

async function handle(items: WorkItem[]): Promise<void> {
  await nap(Math.random() * 100);
  const reports = items.map(
    (item): MessageInitShape<typeof WorkReportSchema> => ({
      claim: { workId: item.workId, claimToken: item.claimToken, fence: item.fence },
      outcome: outcomeOf(item) ?? { case: undefined },
    }),
  );
  const { results } = await calls.reportWork({ processId, reports });
  for (const [index, { problem }] of results.entries()) {
    const item = items[index];
    const line = { work: item?.workId, fence: String(item?.fence), reason: problem?.reason ?? 0 };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}

for (;;) {
  try {
    const { items } = await calls.claimWork({
      processId,
      capabilities: [Capability.POLL_SOURCE, Capability.DELIVER_WEBHOOK],
      mostPolls: 5,
      mostDeliveries: 5,
      wait: durationFromMs(500),
    });
    if (items.length > 0) await handle(items);
  } catch {
    await nap(100);
  }
}
