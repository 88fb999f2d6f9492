import { Code, type ConnectError } from "@connectrpc/connect";
import type { Access } from "../../gen/lumetry/access/v1/access_pb.js";
import type { AgentCaller, Caller, CallHeaders, CollectorCaller } from "../context.ts";
import { problem, Reason } from "../problem.ts";
import type { Authenticator } from "./authenticator.ts";

export const HOP_HEADER = "lumetry-relay-authorization";

/** What the header says that a collector adds to the calls that it passes on. */
export type Hop =
  | { kind: "none" }
  | { kind: "valid"; relay: CollectorCaller }
  /** Whoever added it may not; `isGuess` when its credential is none that is valid. */
  | { kind: "refused"; error: ConnectError; isGuess: boolean };

/** The agent is to take another way, and not to think that its own identity was refused. */
function relayRefused(why: string): ConnectError {
  return problem(
    Code.Unavailable,
    Reason.RELAY_REFUSED,
    `the collector that passed the call on was refused: ${why}; take another way`,
  );
}

export const hasHop = (headers: CallHeaders): boolean => headers.has(HOP_HEADER);

/** What is told without asking the database. */
export const tooManyRefused = (): Hop => ({
  kind: "refused",
  error: relayRefused("too many calls come from there with credentials that are not valid"),
  isGuess: false,
});

/** Finds out who passed a call on. What it throws is a database that is away. */
export async function findHop(
  authenticator: Authenticator,
  rule: Access,
  headers: CallHeaders,
): Promise<Hop> {
  if (!hasHop(headers)) return { kind: "none" };
  let caller: Caller;
  try {
    caller = await authenticator.authenticate(headers, HOP_HEADER);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { kind: "refused", error: relayRefused(error.rawMessage), isGuess: true };
  }
  const refused = (why: string): Hop => ({
    kind: "refused",
    error: relayRefused(why),
    isGuess: false,
  });
  if (caller.kind !== "collector") return refused("its credential is not a collector's");
  if (!rule.relayable) return refused("this call is not one that collectors pass on");
  return { kind: "valid", relay: caller };
}

const isRefusal = (error: unknown): error is ConnectError =>
  error instanceof Error && (error as Partial<ConnectError>).code === Code.Unauthenticated;

/** Collectors relay for the agents of their own zone, and for nobody else. */
export function refuseHop(caller: Caller, hop: Hop): void {
  if (hop.kind === "none") return;
  if (caller.kind !== "agent" && caller.kind !== "nobody") {
    throw problem(
      Code.PermissionDenied,
      Reason.NOT_ALLOWED,
      `collectors pass on the calls of agents only; call the server directly, without the header ${HOP_HEADER}`,
    );
  }
  if (hop.kind === "refused") throw hop.error;
  if (caller.kind === "agent" && !isOfZone(caller, hop.relay)) {
    throw relayRefused("it belongs to another zone than the agent");
  }
}

export const isOfZone = (agent: AgentCaller, relay: CollectorCaller): boolean =>
  agent.workspaceId === relay.workspaceId && agent.zoneId === relay.zoneId;
