import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { sizeOf } from "../../edge/queue/disk.ts";
import { smallestLimitBytes } from "../../edge/queue/queue.ts";
import type { Status } from "../../edge/status.ts";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { eventually } from "../support/eventually.ts";
import type { Load } from "../support/load.ts";
import type { AnyServer, Owner } from "../support/server.ts";
import { readStored } from "./stored.ts";
import { Subject } from "./subject.ts";

export const FULL_QUEUE: Partial<Load> = {
  everyMs: 20,
  goodSeries: 97,
  badSeries: 3,
  padBytes: 500,
};
export const LIMIT = smallestLimitBytes;
/** What a sample takes on disk: its labels do not compress. */
const SAMPLE_BYTES = 100 * 500;

export interface FullQueue {
  subject: Subject;
  status: Status;
  /** The number of the last sample that was stored before the server went away. */
  storedBefore: number;
  /** The largest size that the queue's directory was seen to have. */
  peakBytes: number;
  /** What the server's ledger of drops adds up to. */
  toldPoints: number;
}

/** Fills a small queue several times over while the server is away, with kills in between. */
export async function fillQueue(
  server: AnyServer,
  owner: Owner,
  options: { random: () => number; times: number; kills: number; report?: (words: string) => void },
): Promise<FullQueue & AsyncDisposable> {
  const { random, times, kills, report = () => {} } = options;
  await using started = new AsyncDisposableStack();
  const subject = started.use(
    await Subject.start(server, owner, FULL_QUEUE, { queueLimitBytes: LIMIT }),
  );
  const { installation, proxy } = subject;
  await installation.connected(subject.edge);

  let peakBytes = 0;
  let isMeasuring = true;
  const measuring = (async () => {
    while (isMeasuring) {
      peakBytes = Math.max(peakBytes, await sizeOf(path.join(installation.dataDir, "queue")));
      await wait(100);
    }
  })();

  await proxy.refuse();
  const storedBefore = Math.max(0, ...(await readStored(installation, subject.since)).keys());
  const samples = (times * LIMIT) / SAMPLE_BYTES;
  const target = samples * 100;
  const appended = async () => (await subject.edge.status())?.queue.appendedPoints ?? 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const until = (target * (kill + random())) / kills;
    await eventually("points are appended", async () => (await appended()) >= until);
    report(`kill -9 with ${await appended()} points appended`);
    await subject.kill();
    subject.restart();
  }
  await eventually("enough points are appended", async () => (await appended()) >= target);
  report("the server is back");
  await proxy.pass();
  // A new process need not wait until the one before it would have tried again.
  await subject.kill();
  subject.restart();
  const status = await subject.calm();
  isMeasuring = false;
  await measuring;

  let toldPoints = 0;
  const collectors = server.client(CollectorService, owner.token);
  for (let pageToken = ""; ; ) {
    const { collectorId } = installation;
    const page = await collectors.listCollectorDrops({ collectorId, pageSize: 200, pageToken });
    for (const { points } of page.drops) toldPoints += Number(points);
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  const stack = started.move();
  return {
    ...{ subject, status, storedBefore, peakBytes, toldPoints },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
