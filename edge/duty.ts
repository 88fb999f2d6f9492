import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { ClockOffset } from "./clock-offset.ts";
import type { Upstream } from "./upstream.ts";

/** What an edge that is enrolled offers to those who do more with it than measure the host. */
export interface EdgeAccess {
  upstream: Upstream;
  /** The process id of this edge's heartbeats. */
  processId: string;
  offset: ClockOffset;
  dataDir: string;
  clock: Clock;
  log: Log;
  /** Ends the edge, since the server says that this identity is over. */
  stop: (reason: string) => void;
}

/** Something else that an edge does beside measuring, uploading and reporting. */
export interface Duty extends AsyncDisposable {
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}
