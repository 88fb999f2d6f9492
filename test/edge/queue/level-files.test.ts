import { readdir } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { crc32c } from "../../../edge/queue/crc32c.ts";
import { openDatabase } from "../../../edge/queue/database.ts";
import { decodeFrame, encodeHole, encodeRecord, scanFrames } from "../../../edge/queue/frame.ts";
import { stretches, verifyFiles } from "../../../edge/queue/level-files.ts";
import { snappyDecompress } from "../../../edge/queue/snappy.ts";
import { randomFrom, range, recordOf, temporaryDirectory } from "./fixtures.ts";

test("CRC32C gives the published check values", (t) => {
  t.is(crc32c(Buffer.from("123456789")), 0xe3069283);
  t.is(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  t.is(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
});

test("every kind of Snappy element is understood, and garbage does no harm", (t) => {
  // "abcd" as a literal, then copies with 1, 2 and 4 bytes of offset.
  const block = Buffer.from([20, 0x0c, 97, 98, 99, 100, 0x01, 4, 0x1e, 4, 0, 0x0f, 4, 0, 0, 0]);
  t.is(snappyDecompress(block).toString(), "abcdabcdabcdabcdabcd");
  const random = randomFrom(1);
  for (let round = 0; round < 2_000; round++) {
    const garbage = Buffer.from(range(1, 40).map(() => random() * 256));
    t.true(snappyDecompress(garbage).length <= 64 * 1024 * 1024);
  }
});

test("what LevelDB writes is found sound and read back without LevelDB, compressed or not", async (t) => {
  const directory = path.join(await temporaryDirectory(t), "db");
  const database = await openDatabase(directory, { fresh: true, writeBufferSize: 64 * 1024 });
  const wanted = new Map<number, Buffer>();
  for (const id of range(1, 400)) {
    const payload =
      id % 2 ? recordOf(id).payload : Buffer.from(`cpu_usage{host="h${id % 7}"} `.repeat(60));
    const start = { sequence: id, points: id * 10, bytes: id * 1_000 };
    const frame = encodeRecord(start, { ...recordOf(id), payload });
    wanted.set(id, frame);
    const key = Buffer.from(String(id).padStart(8, "0"));
    await database.batch([{ type: "put", key, value: frame }], { sync: false });
  }
  await database.close();
  const names = await readdir(directory);
  t.true(names.filter((name) => name.endsWith(".ldb")).length > 5);
  await verifyFiles(directory);
  const found = new Set<number>();
  for await (const stretch of stretches(directory)) {
    for (const frame of scanFrames(stretch)) {
      t.true(
        encodeRecord(frame.start, frame).equals(
          wanted.get(frame.start.sequence) ?? Buffer.alloc(0),
        ),
      );
      found.add(frame.start.sequence);
    }
  }
  t.is(found.size, 400);
});

test("a frame carries everything, and a single flipped bit anywhere in it is noticed", (t) => {
  const start = { sequence: 2 ** 40 + 7, points: 2 ** 45 + 1, bytes: 2 ** 50 + 3 };
  const record = { ...recordOf(3), payload: Buffer.from("payload"), clockOffsetMs: -12.25 };
  const bytes = encodeRecord(start, record);
  const frame = decodeFrame(bytes);
  t.like(frame, {
    kind: "record",
    start,
    clockOffsetMs: -12.25,
    points: 4,
    startTime: record.startTime,
  });
  t.deepEqual(frame?.end, {
    sequence: start.sequence + 1,
    points: start.points + 4,
    bytes: start.bytes + 7,
  });
  const unknown = decodeFrame(encodeRecord(start, { ...record, clockOffsetMs: undefined }));
  t.is(unknown?.clockOffsetMs, undefined);
  const end = { sequence: start.sequence + 5, points: start.points + 500, bytes: start.bytes + 9 };
  t.like(decodeFrame(encodeHole(start, end, 1, 2)), {
    kind: "hole",
    start,
    end,
    startTime: 1,
    endTime: 2,
  });
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    t.is(decodeFrame(flipped), undefined, `bit ${bit}`);
  }
  t.is(decodeFrame(bytes.subarray(0, -1)), undefined);
});
