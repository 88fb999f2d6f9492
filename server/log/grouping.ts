import type { PackedPoints } from "./segment-format.ts";
import { joinSegment } from "./segment-format.ts";
import type { NewSegment } from "./store.ts";

/**
 * A segment that spans more is "wide". Few are: batches of a commit share a segment only where they
 * are near in time, so that a query finds what it needs, and little else, by an index on the end.
 */
export const NARROW_MS = 2 * 3_600_000;
const BUCKET_MS = 3_600_000;

/** The segments of one commit: usually one for each workspace. */
export function groupIntoSegments(
  batches: readonly { workspaceId: string; packed: PackedPoints | undefined }[],
): NewSegment[] {
  const groups = new Map<string, { workspaceId: string; packed: PackedPoints[] }>();
  for (const { workspaceId, packed } of batches) {
    if (!packed) continue;
    const narrow = packed.endMs - packed.startMs <= BUCKET_MS;
    const bucket = narrow ? Math.floor(packed.startMs / BUCKET_MS) : "wide";
    const key = `${workspaceId}\0${bucket}`;
    const group = groups.get(key);
    if (group) group.packed.push(packed);
    else groups.set(key, { workspaceId, packed: [packed] });
  }
  return Array.from(groups.values(), ({ workspaceId, packed }) => ({
    workspaceId,
    startMs: packed.reduce((least, { startMs }) => Math.min(least, startMs), Infinity),
    endMs: packed.reduce((most, { endMs }) => Math.max(most, endMs), -Infinity),
    points: packed.reduce((sum, { points }) => sum + points, 0),
    body: joinSegment(packed),
  }));
}
