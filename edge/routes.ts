import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { startLoop } from "../lib/loop.ts";
import { judge, type Verdict } from "./verdict.ts";

/** One way to the server: straight, or through the relay of a collector. */
export interface Route {
  kind: "collector" | "direct";
  url: string;
}

/** How a route is doing, for status and people. */
export interface RouteState extends Route {
  inUse: boolean;
  /** Why calls cannot take it at present; undefined as far as is known. */
  problem: string | undefined;
  /** Unix milliseconds since when it has been in use, or has had its problem. */
  since: number | undefined;
}

/** How patient routes are, in milliseconds. */
export interface RouteTiming {
  /** Routes that are preferred to the one in use are tried this often, give or take a third. */
  probeEveryMs: number;
  /** One of them must have been good for this long, up to twice as long by chance, to be taken again. */
  returnAfterMs: number;
  /** If it is lost again sooner than this, it has to be good for twice as long the next time. */
  stableMs: number;
}

export const defaultTiming: RouteTiming = {
  probeEveryMs: 15_000,
  returnAfterMs: 30_000,
  stableMs: 300_000,
};
const PROBE_JITTER = 1 / 3;
const MOST_PATIENCE = 16;
/** A broken connection is no reason to leave a route, but the second in a row is. */
const MOST_DOUBTS = 2;

class Way {
  readonly route: Route;
  problem: string | undefined;
  since: number | undefined;
  /** The last failure, in monotonic time; older is better, and never is best. */
  failedAt = Number.NEGATIVE_INFINITY;
  doubts = 0;
  /** Since when probes have found it good, and how long they have to. */
  proving: { since: number; forMs: number } | undefined;
  /** Grows while it is lost soon after each return. */
  patience = 1;
  returnedAt: number | undefined;

  constructor(route: Route) {
    this.route = route;
  }
}

export interface RoutesOptions {
  clock: Clock;
  log: Log;
  random?: () => number;
  timing?: RouteTiming | undefined;
}

/**
 * Which of several routes to take, in order of preference: one that has no way to the server is left
 * for the next, and taken again once it has been good for a while. All calls of a process share the
 * present route. With a single route there is nothing to decide.
 */
export class Routes {
  readonly #ways: Way[];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: () => number;
  readonly #timing: RouteTiming;
  readonly #listeners: (() => void)[] = [];
  #present: Way;

  constructor(routes: readonly Route[], options: RoutesOptions) {
    const { clock, log, random = Math.random, timing = defaultTiming } = options;
    this.#ways = routes.map((route) => new Way(route));
    const [first] = this.#ways;
    if (!first) throw new RangeError("There must be at least one route.");
    this.#present = first;
    first.since = clock.now();
    this.#clock = clock;
    this.#log = log;
    this.#random = random;
    this.#timing = timing;
  }

  get present(): Route {
    return this.#present.route;
  }

  /** In order of preference. */
  get all(): Route[] {
    return this.#ways.map(({ route }) => route);
  }

  get states(): RouteState[] {
    return this.#ways.map((way) => ({
      ...way.route,
      inUse: way === this.#present,
      problem: way.problem,
      since: way.since,
    }));
  }

  /** Called when a route has been changed because it was found to be better: try again at once. */
  onBetter(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** A call by this route was answered by the server. */
  worked(route: Route): void {
    const way = this.#wayOf(route);
    way.doubts = 0;
    way.failedAt = Number.NEGATIVE_INFINITY;
    if (way.problem === undefined) return;
    way.problem = undefined;
    way.since = this.#clock.now();
  }

  /** A call by this route failed; it is left if that was its fault. */
  failed(route: Route, verdict: Verdict): void {
    if (verdict.route === "keep") {
      this.worked(route);
      return;
    }
    const way = this.#wayOf(route);
    way.doubts += 1;
    if (verdict.route === "doubt" && way.doubts < MOST_DOUBTS) return;
    this.#note(way, verdict.message);
    // A call that was under way when the route was changed says nothing about the present one.
    if (way === this.#present) this.#leave(way);
  }

  #note(way: Way, problem: string): void {
    if (way.problem === undefined) way.since = this.#clock.now();
    way.problem = problem;
    way.failedAt = this.#clock.monotonic();
    way.proving = undefined;
  }

  #leave(way: Way): void {
    const { returnedAt } = way;
    way.returnedAt = undefined;
    if (returnedAt !== undefined) {
      const isStable = this.#clock.monotonic() - returnedAt >= this.#timing.stableMs;
      way.patience = isStable ? 1 : Math.min(way.patience * 2, MOST_PATIENCE);
    }
    // The one that failed longest ago; of those that have not failed, the most preferred.
    const [next = way] = this.#ways
      .filter((other) => other !== way)
      .toSorted((one, other) => one.failedAt - other.failedAt || 0);
    if (next === way) return;
    this.#log.warn({ from: way.route.url, to: next.route.url, reason: way.problem }, "route left");
    this.#take(next);
  }

  #take(way: Way): void {
    this.#present = way;
    way.doubts = 0;
    way.proving = undefined;
    if (way.problem === undefined) way.since = this.#clock.now();
  }

  #wayOf(route: Route): Way {
    const way = this.#ways.find((one) => one.route === route);
    if (!way) throw new Error(`${route.url} is none of these routes.`);
    return way;
  }

  /**
   * Tries the routes that are preferred to the present one until the signal aborts, and goes back
   * when one has been good for long enough; at once, if the present one is not.
   */
  async watch(probe: (route: Route) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { done } = startLoop(() => this.#look(probe, signal), {
      every: () => this.#timing.probeEveryMs,
      jitter: PROBE_JITTER,
      clock: this.#clock,
      random: this.#random,
      signal,
      onError: (error) => this.#log.error({ err: error }, "routes cannot be tried"),
    });
    await done;
  }

  async #look(probe: (route: Route) => Promise<void>, signal: AbortSignal): Promise<void> {
    const isPreferred = (way: Way) => this.#ways.indexOf(way) < this.#ways.indexOf(this.#present);
    for (const way of this.#ways) {
      if (!isPreferred(way)) return;
      const isGood = await this.#isGood(way, probe);
      // Meanwhile calls may have changed the route.
      if (signal.aborted || !isPreferred(way)) return;
      if (isGood) this.#prove(way);
    }
  }

  async #isGood(way: Way, probe: (route: Route) => Promise<void>): Promise<boolean> {
    try {
      await probe(way.route);
    } catch (error) {
      const verdict = judge(error);
      // Whatever the server itself answers, it has answered.
      if (verdict.route !== "keep") {
        this.#note(way, verdict.message);
        return false;
      }
    }
    this.worked(way.route);
    return true;
  }

  #prove(way: Way): void {
    const now = this.#clock.monotonic();
    way.proving ??= {
      since: now,
      forMs: this.#timing.returnAfterMs * way.patience * (1 + this.#random()),
    };
    const isProven = now - way.proving.since >= way.proving.forMs;
    const isPresentBad = this.#present.problem !== undefined;
    if (!isProven && !isPresentBad) return;
    const from = this.#present.route.url;
    way.returnedAt = now;
    this.#take(way);
    this.#log.info({ from, to: way.route.url }, "back on a preferred route");
    for (const listener of this.#listeners) listener();
  }
}
