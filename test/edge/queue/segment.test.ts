import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { Damage } from "../../../edge/queue/database.ts";
import { encodeHole, encodeRecord, type Frame, type Position } from "../../../edge/queue/frame.ts";
import { Segment, segmentName } from "../../../edge/queue/segment.ts";
import { range, recordOf, temporaryDirectory } from "./fixtures.ts";

const buffer = 64 * 1024;
const start: Position = { sequence: 1, points: 0, bytes: 0 };

/** Frames of so many records from a position on. */
function framesFrom(position: Position, count: number) {
  let next = position;
  const frames = range(next.sequence, next.sequence + count - 1).map((id) => {
    const record = recordOf(id);
    const frame = { start: next, bytes: encodeRecord(next, record) };
    next = {
      sequence: next.sequence + 1,
      points: next.points + record.points,
      bytes: next.bytes + record.payload.length,
    };
    return frame;
  });
  return { frames, end: next };
}

async function readAll(segment: Segment, from: Position | undefined, last?: number) {
  const all: Frame[] = [];
  for await (const frame of segment.frames(from, last)) all.push(frame);
  return all;
}

test("what was appended is never written again by a compaction, also over many starts", async (t) => {
  const parent = await temporaryDirectory(t);
  const directory = path.join(parent, segmentName(1));
  let segment = await Segment.create(parent, 1, buffer);
  let position = start;
  const tables = new Map<string, number>();
  for (let round = 0; round < 12; round++) {
    for (let group = 0; group < 5; group++) {
      const { frames, end } = framesFrom(position, 10);
      await segment.append(frames);
      position = end;
    }
    if (round % 3 === 0) await segment.flush();
    await segment.close();
    segment = await Segment.open(parent, 1, buffer);
    for (const [name, mtime] of tables) {
      const now = await stat(path.join(directory, name)).catch(() => undefined);
      t.is(now?.mtimeMs, mtime, `table ${name}`);
    }
    // Taken right after a start, when LevelDB has cleared away what a close had left half done.
    for (const name of await readdir(directory)) {
      if (!name.endsWith(".ldb")) continue;
      tables.set(name, (await stat(path.join(directory, name))).mtimeMs);
    }
  }
  t.true(tables.size > 20);
  t.is((await readAll(segment, start, position.sequence - 1)).length, 600);
  await segment.close();
});

test("a reader notices a record that is missing, out of place or of another count", async (t) => {
  const parent = await temporaryDirectory(t);
  const segment = await Segment.create(parent, 1, buffer);
  const { frames, end } = framesFrom(start, 10);
  await segment.append(frames.filter((_, index) => index !== 6));
  const damaged = { instanceOf: Damage };
  t.is((await readAll(segment, start, 6)).length, 6);
  await t.throwsAsync(readAll(segment, start, 10), damaged);
  const [seventh, eighth] = frames.slice(6);
  if (!seventh || !eighth) return t.fail();
  await segment.append([{ start: seventh.start, bytes: eighth.bytes }]);
  await t.throwsAsync(readAll(segment, start, 10), damaged);
  const miscounted = { ...seventh.start, points: seventh.start.points + 1 };
  await segment.append([{ start: seventh.start, bytes: encodeRecord(miscounted, recordOf(7)) }]);
  await t.throwsAsync(readAll(segment, start, 10), damaged);
  await segment.append([seventh]);
  t.is((await readAll(segment, start, 10)).length, 10);
  await t.throwsAsync(readAll(segment, start, 11), damaged);
  await t.throwsAsync(readAll(segment, end, 11), damaged);
  t.is((await readAll(segment, undefined)).length, 10);
  await segment.close();
});

test("a hole stands for the records that are gone", async (t) => {
  const parent = await temporaryDirectory(t);
  const segment = await Segment.create(parent, 1, buffer);
  const { frames, end } = framesFrom(start, 10);
  const [third, , , sixth] = frames.slice(2);
  if (!third || !sixth) return t.fail();
  await segment.append([...frames.slice(0, 2), ...frames.slice(5)]);
  const hole = { start: third.start, bytes: encodeHole(third.start, sixth.start, 1, 2) };
  await segment.append([hole]);
  const all = await readAll(segment, start, end.sequence - 1);
  t.deepEqual(
    all.map(({ kind }) => kind === "hole"),
    [false, false, true, false, false, false, false, false],
  );
  t.deepEqual(all[2]?.end, sixth.start);
  await segment.close();
});
