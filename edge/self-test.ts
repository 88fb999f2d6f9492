import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { silentLog } from "../lib/log.ts";
import { version } from "../lib/version.ts";
import { makeHostSampler } from "./host-metrics/host-sampler.ts";
import type { EdgeKind } from "./identity.ts";
import { openQueue, smallestLimitBytes } from "./queue/queue.ts";

/**
 * `lumetry agent self-test`: shows that this build runs on this host, before anything depends on it. It
 * measures the host once, and keeps that on disk. Throws when it cannot.
 */
export async function selfTest(kind: EdgeKind): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), `lumetry-${kind}-self-test-`));
  try {
    const sampler = await makeHostSampler({ log: silentLog, statFilesystem: (at) => statfs(at) });
    const samples = await sampler.sample();
    await using queue = await openQueue(path.join(directory, "queue"), {
      limitBytes: smallestLimitBytes,
      log: silentLog,
    });
    const now = Date.now();
    const payload = Buffer.from(JSON.stringify(samples));
    await queue.append({
      payload,
      points: samples.length,
      startTime: now,
      endTime: now,
      clockOffsetMs: undefined,
    });
    if (queue.health().queuedPoints !== samples.length) throw new Error("the queue lost points");
    process.stdout.write(`lumetry ${kind} ${version}: ${samples.length} points kept on disk\n`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
