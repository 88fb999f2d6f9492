import type { Evidence } from "../alerts/table.ts";
import type { Database } from "../db/database.ts";
import type { WatchableKind } from "./kinds.ts";
import type { WorkspaceSettings } from "./settings.ts";

/** Something that is amiss at present, whether or not there is an alert of it. */
export interface Finding {
  kind: WatchableKind;
  /** The id of what it is about. */
  subject: string;
  /**
   * As bad as an alert takes, or nearly: then an alert that fires goes on, and none begins. What is
   * `doubtful` may explain in a moment why others are silent: an alert of it begins, and does not fire yet.
   */
  degree: "amiss" | "near" | "doubtful";
  /** A sentence or more for people. */
  summary: string;
  labels: Record<string, string>;
  /** The collector or agent that it is about, or that is to blame for it. */
  edgeId?: string;
  value?: number;
  evidence?: Evidence;
  /** Since when it is as bad as an alert takes, where that is known better than by having looked. */
  amissSinceMs?: number;
  /** What is said of it changes while it fires, and is worth telling. */
  follows?: boolean;
}

/** What findings are made from. */
export interface Look {
  db: Database;
  workspaceId: string;
  settings: WorkspaceSettings;
  heartbeatIntervalMs: number;
  /** On the database's clock. */
  nowMs: number;
}

/** Labels that have a value, by their names. */
export function labelsOf(labels: Record<string, string | null | undefined>) {
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => Boolean(entry[1])),
  );
}
