import { execFileSync } from "node:child_process";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { openQueue, type Queue, type QueueRecord } from "../../edge/queue/queue.ts";
import { silentLog } from "../../lib/log.ts";
import { makeBody } from "./bodies.ts";
import type { Full } from "./queue-full.ts";
import { round as rounded, type Section } from "./report.ts";

/** What was measured, and beside it its peer or its limit of the same run. */
interface Row {
  what: string;
  value: string;
  limit?: string;
}

const pointsEach = 30;
const bodies = Array.from({ length: 64 }, () => makeBody(0, pointsEach, 1));
let appended = 0;

/** One scrape of 30 series: the same labels each time, other values and times. */
function nextRecord(): QueueRecord {
  const body = bodies[appended++ % bodies.length];
  if (!body) throw new Error("no body");
  body.advance();
  const now = Date.now();
  const payload = Buffer.from(body.bytes);
  return { payload, points: pointsEach, startTime: now, endTime: now, clockOffsetMs: 0 };
}

/** The queue of an edge: append, drain, open when full, and the memory it takes. */
export async function benchQueue(): Promise<Section> {
  const rows = (await measureQueue()).map(({ what, value, limit = "" }) => [what, value, limit]);
  return {
    title: "The queue of an edge",
    about: ["What is appended is on disk, fsync included. A record is one scrape of 30 series."],
    tables: [{ head: ["what", "measured", "beside it"], rows }],
    notes: [],
  };
}

async function measureQueue(): Promise<Row[]> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "lumetry-bench-queue-"));
  try {
    const queue = await openQueue(path.join(directory, "queue"), { log: silentLog });
    const rows: Row[] = [];
    try {
      for (const parallel of [1, 32, 512]) rows.push(await benchAppend(queue, directory, parallel));
      rows.push(await fill(queue));
    } finally {
      await queue[Symbol.asyncDispose]();
    }
    return [...rows, ...(await benchFull(path.join(directory, "queue")))];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function benchAppend(queue: Queue, directory: string, parallel: number): Promise<Row> {
  const perSecond = await inRounds(parallel, (records) =>
    Promise.all(records.map((record) => queue.append(record))),
  );
  const file = await open(path.join(directory, "plain"), "w");
  const plain = await inRounds(parallel, async (records) => {
    await file.write(Buffer.concat(records.map(({ payload }) => payload)));
    await file.datasync();
  });
  await file.close();
  return {
    what: `durable append, ${parallel} at a time`,
    value: `${rounded(perSecond)} records/s = ${rounded(perSecond * pointsEach)} points/s`,
    limit: `same bytes to a plain file, one fsync a group: ${rounded(plain)} records/s`,
  };
}

/** Rounds of so many records for two seconds; records a second. */
async function inRounds(
  parallel: number,
  round: (records: QueueRecord[]) => Promise<unknown>,
): Promise<number> {
  const begun = performance.now();
  let count = 0;
  while (performance.now() - begun < 2_000) {
    await round(Array.from({ length: parallel }, nextRecord));
    count += parallel;
  }
  return count / seconds(begun);
}

/** Appends until the oldest points are dropped. */
async function fill(queue: Queue): Promise<Row> {
  const begun = performance.now();
  let count = 0;
  while (queue.health().droppedPoints === 0) {
    await Promise.all(Array.from({ length: 512 }, () => queue.append(nextRecord())));
    count += 512;
  }
  const { diskBytes, queuedPoints, queuedBytes } = queue.health();
  return {
    what: "filling 500 MB",
    value: `${rounded(count / seconds(begun))} records/s`,
    limit: `${(diskBytes / 1e6).toFixed(0)} MB on disk hold ${rounded(queuedPoints)} points, ${(queuedBytes / diskBytes).toFixed(1)} times their size`,
  };
}

async function benchFull(queue: string): Promise<Row[]> {
  const script = path.join(import.meta.dirname, "queue-full.ts");
  const output = execFileSync(process.execPath, [script, queue], { encoding: "utf8" });
  const full = JSON.parse(output) as Full;
  const [segment = ""] = await readdir(path.join(queue, "segments"));
  const raw = await readRaw(path.join(queue, "segments", segment));
  const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return [
    {
      what: "open when full",
      value: `${full.openMs.toFixed(0)} ms`,
      limit: "goal: under 1,000 ms",
    },
    {
      what: "drain of a full queue, 5,000 points a batch",
      value: `${rounded(full.pointsPerSecond)} points/s`,
      limit: `goal: 500,000; payload ${mb(full.bytesPerSecond)}/s, its files read raw: ${mb(raw)}/s`,
    },
    {
      what: "memory with a full queue",
      value: `${mb(full.rssOpen)} open, ${mb(full.rssDraining)} at most while draining`,
      limit: `the process without a queue: ${mb(full.rssBefore)}`,
    },
  ];
}

/** Bytes a second of reading files one after the other. */
async function readRaw(directory: string): Promise<number> {
  const begun = performance.now();
  let bytes = 0;
  for (const name of await readdir(directory)) {
    const file = await open(path.join(directory, name));
    bytes += (await file.readFile()).length;
    await file.close();
  }
  return bytes / seconds(begun);
}

function seconds(begun: number): number {
  return (performance.now() - begun) / 1_000;
}
