import { buffer } from "node:stream/consumers";
import { ZipFile } from "yazl";
import { type Entry, epochSeconds } from "../entry.ts";

/** Zip archives tell the time of day without a zone: this one reads the same in every zone. */
function timeWithoutZone(): Date {
  const time = new Date(epochSeconds * 1_000);
  return new Date(
    time.getUTCFullYear(),
    time.getUTCMonth(),
    time.getUTCDate(),
    time.getUTCHours(),
    time.getUTCMinutes(),
    time.getUTCSeconds(),
  );
}

/** A zip archive of sorted entries, as Windows unpacks it by itself. */
export function zip(entries: Entry[], level: number): Promise<Buffer> {
  const archive = new ZipFile();
  const mtime = timeWithoutZone();
  for (const entry of entries) {
    if (!("data" in entry)) throw new Error(`${entry.path}: a zip archive holds files only`);
    archive.addBuffer(entry.data, entry.path, {
      mtime,
      mode: 0o100644,
      compressionLevel: level,
      forceDosTimestamp: true,
    });
  }
  archive.end();
  return buffer(archive.outputStream);
}
