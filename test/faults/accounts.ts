import type { Status } from "../../edge/status.ts";
import { isOldestFirst, readArrivals } from "../support/arrivals.ts";
import type { AnyInstallation } from "../support/edge-installation.ts";
import type { Load } from "../support/load.ts";
import { type Ledger, readLedger } from "./ledger.ts";
import { readStored, type StoredSample } from "./stored.ts";

/** Samples of one batch at most: what a crash can leave in flight. */
const IN_FLIGHT = 50;

export interface Accounts {
  /** What is wrong, in words; empty when every point is accounted for. */
  problems: string[];
  /** Points, but for `ambiguous`, which are samples. */
  figures: Record<
    | "appended"
    | "stored"
    | "refused"
    | "dropped"
    | "damaged"
    | "unreadable"
    | "queued"
    | "ambiguous",
    number
  >;
}

export interface Claim {
  installation: AnyInstallation;
  load: Pick<Load, "goodSeries" | "badSeries">;
  ledger: string;
  /** What the collector itself said in the end. */
  queue: Status["queue"];
  /** How often it was killed. */
  kills: number;
  /** When its first sample may have been taken. */
  since: number;
  /** Whether the limit was reached, so that the oldest points had to go, after this last stored sample. */
  droppedAfter?: number | undefined;
}

/**
 * Compares what was appended by the generator's own ledger, what the queue says became of it, and
 * what the server shows: each point must be there exactly once, or be counted as what it became.
 */
export async function settleAccounts(claim: Claim): Promise<Accounts> {
  const { installation, load, queue, kills, droppedAfter } = claim;
  const ledger = await readLedger(claim.ledger);
  const samples = await readStored(installation, claim.since);
  const arrivals = await readArrivals(installation.server, await installation.edgeId());
  const problems: string[] = [];
  const check = (isRight: boolean, problem: string) => {
    if (!isRight) problems.push(problem);
  };

  const stored = sum(samples.values(), ({ points }) => points);
  const arrived = sum(arrivals, ({ times }) => times.length);
  checkSamples(samples, ledger, load.goodSeries, check);
  check(arrived === stored, `${arrived - stored} points are stored more than once`);
  check(isOldestFirst(arrivals), "points did not arrive oldest first");
  check(ledger.ambiguous.size <= kills, `${ledger.ambiguous.size} samples have no outcome`);

  const missing = ledger.done.difference(new Set(samples.keys()));
  if (droppedAfter === undefined) check(missing.size === 0, `lost: ${rangesOf(missing)}`);
  else checkSuffix([...samples.keys()], missing, droppedAfter, check);

  const { appendedPoints: appended, acknowledgedPoints, refusedPoints: refused } = queue;
  const { droppedPoints: dropped, damagedPoints: damaged, unreadablePoints: unreadable } = queue;
  const queued = queue.queuedPoints;
  const perSample = load.goodSeries + load.badSeries;
  const certain = ledger.done.size * perSample;
  const uncertain = ledger.ambiguous.size * perSample;
  check(
    appended >= certain && appended <= certain + uncertain && appended % perSample === 0,
    `${appended} points were appended, but the ledger has ${certain} and perhaps ${uncertain} more`,
  );
  const settled = stored + refused + dropped + damaged + unreadable + queued;
  check(appended === settled, `of ${appended} points appended, ${settled} are accounted for`);
  check(
    acknowledgedPoints === stored + refused,
    `${acknowledgedPoints} points were acknowledged, but ${stored + refused} are stored or refused`,
  );
  check(queued === 0, `${queued} points are still queued`);
  check(damaged === 0 && unreadable === 0, `${damaged} damaged, ${unreadable} unreadable points`);
  check(
    droppedAfter !== undefined || dropped === 0,
    `${dropped} points were dropped below the limit`,
  );
  const ambiguous = ledger.ambiguous.size;
  const figures = { appended, stored, refused, dropped, damaged, unreadable, queued, ambiguous };
  return { problems, figures };
}

type Check = (isRight: boolean, problem: string) => void;

/** Whole samples only, with nothing that nobody measured. */
function checkSamples(
  samples: ReadonlyMap<number, StoredSample>,
  { done, ambiguous }: Ledger,
  goodSeries: number,
  check: Check,
): void {
  for (const [serial, { points, times }] of samples) {
    check(done.has(serial) || ambiguous.has(serial), `sample ${serial} was never taken`);
    check(
      points === goodSeries,
      `of sample ${serial}, ${points} of ${goodSeries} points are there`,
    );
    check(times.size === 1, `sample ${serial} has ${times.size} times`);
  }
}

/** What is missing is older than all that is there, but for what was stored or in flight before. */
function checkSuffix(
  serials: readonly number[],
  missing: ReadonlySet<number>,
  droppedAfter: number,
  check: Check,
): void {
  const newestMissing = Math.max(0, ...missing);
  const older = serials.filter((serial) => serial > droppedAfter && serial < newestMissing);
  check(
    older.length <= IN_FLIGHT,
    `newer ones than these were dropped: ${rangesOf(new Set(older))}`,
  );
  check(missing.size > 0, "the limit was never reached");
}

function sum<T>(all: Iterable<T>, figure: (one: T) => number): number {
  let total = 0;
  for (const one of all) total += figure(one);
  return total;
}

/** "samples 3-5, 9". */
function rangesOf(numbers: ReadonlySet<number>): string {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  const words = ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return `samples ${words.slice(0, 20).join(", ")}${words.length > 20 ? " …" : ""}`;
}
