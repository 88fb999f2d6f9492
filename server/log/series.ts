import { hash } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { Database } from "../db/database.ts";
import {
  findSeries,
  insertSeries,
  lockCatalog,
  type NewSeries,
  reviveSeries,
} from "./series-store.ts";

/** A series as its sender names it, checked: labels in order of name, none empty or twice. */
export interface SeriesName {
  metric: string;
  labels: [name: string, value: string][];
}

/** Turns names of series into ids, and makes the series that are new. */
export interface SeriesResolver {
  /**
   * The id of each, in the order asked; undefined where the series is new and the workspace may
   * have no more. Several servers may ask for the same at once: all get the same ids.
   */
  resolve(workspaceId: string, wanted: readonly SeriesName[]): Promise<(number | undefined)[]>;
}

/** A workspace that was full is believed to be so for as long, so that refusing costs no lock. */
const FULL_FOR_MS = 5_000;
/** A round that holds as many takes no more in. */
const MOST_IN_A_ROUND = 20_000;

/** What is asked of the database at once, for all requests of one workspace that came meanwhile. */
interface Round {
  wanted: Map<string, NewSeries>;
  found: Promise<Map<string, number>>;
}

interface Desk {
  /** The round that takes in what is asked now; it begins when the one before it ends. */
  open: Round | undefined;
  last: Promise<unknown>;
  rounds: number;
  fullUntil: number;
}

/** SHA-256 of what names a series; no name or value can hold the byte that separates them. */
function fingerprint({ metric, labels }: SeriesName): Buffer {
  return hash("sha256", [metric, ...labels.flat()].join("\0"), "buffer");
}

export function makeSeriesResolver(db: Database, clock: Clock): SeriesResolver {
  // One round at a time for each workspace: its new series never hold more than one connection.
  const desks = new Map<string, Desk>();

  const answer = async (
    workspaceId: string,
    desk: Desk,
    round: Round,
  ): Promise<Map<string, number>> => {
    const wanted = [...round.wanted.values()];
    const found = await findSeries(db, workspaceId, wanted);
    if (found.size === wanted.length || clock.monotonic() < desk.fullUntil) return found;
    return db.transaction().execute(async (transaction) => {
      const room = await lockCatalog(transaction, workspaceId);
      // Another server may have made some while this one waited for the lock.
      const existing = await findSeries(transaction, workspaceId, wanted);
      const missing = wanted.filter((series) => !existing.has(series.fingerprint.toString("hex")));
      if (missing.length > room) desk.fullUntil = clock.monotonic() + FULL_FOR_MS;
      const taken = missing.slice(0, room);
      if (taken.length === 0) return existing;
      const revived = await reviveSeries(transaction, workspaceId, taken);
      const added = taken.filter((series) => !revived.has(series.fingerprint.toString("hex")));
      const made = added.length > 0 ? await insertSeries(transaction, workspaceId, added) : [];
      return new Map([...existing, ...revived, ...made]);
    });
  };

  const openRound = (workspaceId: string): Round => {
    const desk = desks.get(workspaceId) ?? {
      open: undefined,
      last: Promise.resolve(),
      rounds: 0,
      fullUntil: -Infinity,
    };
    desks.set(workspaceId, desk);
    if (desk.open && desk.open.wanted.size < MOST_IN_A_ROUND) return desk.open;
    const begin = desk.last.then(() => {
      if (desk.open === round) desk.open = undefined;
      return answer(workspaceId, desk, round);
    });
    const round: Round = { wanted: new Map(), found: begin };
    desk.open = round;
    desk.rounds += 1;
    desk.last = begin
      .catch(() => {}) // whoever asked is told
      .then(() => {
        desk.rounds -= 1;
        if (desk.rounds === 0 && desk.fullUntil < clock.monotonic()) desks.delete(workspaceId);
      });
    return round;
  };

  return {
    async resolve(workspaceId, wanted) {
      const round = openRound(workspaceId);
      const keys = wanted.map((series) => {
        const print = fingerprint(series);
        const key = print.toString("hex");
        round.wanted.set(key, {
          metric: series.metric,
          labels: Object.fromEntries(series.labels),
          fingerprint: print,
        });
        return key;
      });
      const found = await round.found;
      return keys.map((key) => found.get(key));
    },
  };
}
