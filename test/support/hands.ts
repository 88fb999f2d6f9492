import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Work, type WorkSettings } from "../../collector/work/work.ts";
import { ClockOffset } from "../../edge/clock-offset.ts";
import { WorkService } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { Clock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";

export interface Hands extends AsyncDisposable {
  readonly work: Work;
  readonly dataDir: string;
  readonly processId: string;
  stop(): Promise<void>;
}

/** The work part of a collector by itself, on a data directory that lives as long as it is wanted. */
export async function startHands(
  url: string,
  clock: Clock,
  settings: Partial<WorkSettings> = {},
): Promise<Hands> {
  const dataDir = settings.dataDir ?? (await mkdtemp(path.join(tmpdir(), "lumetry-worker-")));
  const processId = randomUUID();
  const offset = new ClockOffset(clock);
  offset.measure(clock.monotonic(), clock.monotonic(), clock.now());
  const work = await Work.open(
    {
      dataDir,
      pollSlots: 64,
      testSlots: 4,
      deliverySlots: 4,
      outageLimitBytes: 20_000_000,
      heldLimitBytes: 64 * 2 ** 20,
      allowLoopback: true,
      ...settings,
    },
    {
      work: createClient(WorkService, createConnectTransport({ baseUrl: url, httpVersion: "1.1" })),
      processId,
      offset,
      clock,
      log: silentLog,
      stop: () => {},
    },
  );
  const ending = new AbortController();
  const running = work.run(ending.signal);
  let stopped: Promise<void> | undefined;
  const end = async () => {
    ending.abort();
    await running;
    await work[Symbol.asyncDispose]();
  };
  const stop = () => {
    stopped ??= end();
    return stopped;
  };
  return {
    work,
    dataDir,
    processId,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      if (settings.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}
