import type { Clock } from "../../lib/clock.ts";
import type { Desk } from "./desk.ts";
import type { RelayLimits } from "./limits.ts";
import type { Tally } from "./tally.ts";

/** What serves agents works with, whatever the version of HTTP. */
export interface AgentSideParts {
  limits: RelayLimits;
  desk: Desk;
  tally: Tally;
  clock: Clock;
}
