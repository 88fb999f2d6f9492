import { Code } from "@connectrpc/connect";
import { type Access, Caller as CallerKind } from "../../gen/lumetry/access/v1/access_pb.js";
import { networkOf } from "../../lib/http/network.ts";
import type { Paths } from "../agents/paths.ts";
import {
  type CallContext,
  type Caller,
  type CallHeaders,
  callerKey,
  nobody,
  type Origin,
  originOf,
} from "../context.ts";
import { problem, Reason } from "../problem.ts";
import type { Authenticator } from "./authenticator.ts";
import { carriesCredential } from "./credential.ts";
import type { RateLimit } from "./rate-limit.ts";
import {
  findHop,
  HOP_HEADER,
  type Hop,
  hasHop,
  isOfZone,
  refuseHop,
  tooManyRefused,
} from "./relays.ts";
import { accessRule, refusal } from "./rules.ts";

function identity(caller: Caller, address: string): string {
  switch (caller.kind) {
    case "person":
      return caller.userId;
    case "collector":
    case "agent":
      return caller.edgeId;
    case "ingestion_key":
      return caller.ingestionKeyId;
    default:
      return address;
  }
}

export interface Limits {
  /** For each credential. */
  calls: RateLimit;
  /** For each address that calls without a credential: enrollment, signing in, set-up. */
  anonymous: RateLimit;
}

/** Decides who may come in. What it throws is a ConnectError, but for a database that is away. */
export interface Gate {
  /** Who is calling, by the headers of their request; throws when the rule does not let them in. */
  admit(rule: Access, headers: CallHeaders, origin: Origin): Promise<Caller>;
  /** The same for a call of the contract, by its own rule; the handler finds the caller. */
  admitCall(context: CallContext): Promise<void>;
  /** The same again, when time has passed since: whoever was revoked meanwhile is refused. */
  readmitCall(context: CallContext): Promise<void>;
}

/**
 * Decides from headers alone, before a body is read, who is calling and whether they may. The
 * limit on strangers comes first of all, so that guessing costs the database nothing.
 */
export function makeGate(authenticator: Authenticator, limits: Limits, paths: Paths): Gate {
  const refuseUnlessAllowed = (rule: Access, caller: Caller): Caller => {
    const reason = refusal(rule, caller);
    if (reason === undefined) return caller;
    throw caller.kind === "nobody"
      ? problem(
          Code.Unauthenticated,
          Reason.CREDENTIAL_UNKNOWN,
          `send a credential as "authorization: Bearer …": ${reason}`,
        )
      : problem(Code.PermissionDenied, Reason.NOT_ALLOWED, reason);
  };

  /** What the hop says; as refused, and never as overloaded, so that agents leave such a relay. */
  const readHop = async (rule: Access, headers: CallHeaders, stranger: string): Promise<Hop> => {
    if (!hasHop(headers)) return { kind: "none" };
    const isKnown = authenticator.remembers(headers, HOP_HEADER);
    if (!isKnown && limits.anonymous.wait(stranger) > 0) return tooManyRefused();
    const hop = await findHop(authenticator, rule, headers);
    if (hop.kind === "refused" && hop.isGuess) limits.anonymous.take(stranger);
    return hop;
  };

  /**
   * Whoever guesses credentials is slowed down before the database is asked: a stranger by their
   * network, a host behind a relay together with the others there, since its address is not seen.
   */
  const authenticate = async (
    headers: CallHeaders,
    hop: Hop,
    stranger: string,
  ): Promise<Caller> => {
    const [limit, key] =
      hop.kind === "valid"
        ? [limits.calls, `guesses through ${hop.relay.edgeId}`]
        : [limits.anonymous, stranger];
    if (!authenticator.remembers(headers)) refuseFor(limit.wait(key));
    try {
      return await authenticator.authenticate(headers);
    } catch (error) {
      charge(limit, key);
      throw error;
    }
  };

  const admit = async (rule: Access, headers: CallHeaders, { address }: Origin) => {
    const open = rule.callers.includes(CallerKind.ANYONE);
    const known = carriesCredential(headers) && !open;
    const stranger = networkOf(address);
    const hop = await readHop(rule, headers, stranger);
    // Told before anything about the agent itself: it has to hear that it may try another way.
    if (hop.kind === "refused" && isOfAgents(headers, known)) throw hop.error;
    if (known) {
      const found = await authenticate(headers, hop, stranger);
      charge(limits.calls, identity(found, address));
      if (found.kind === "agent" && hop.kind === "valid" && !isOfZone(found, hop.relay)) {
        await paths.noteRefused(found, hop.relay);
      }
      const caller = refuseUnlessAllowed(rule, through(hop, found));
      if (caller.kind === "agent") await paths.note(caller);
      return caller;
    }
    if (hop.kind === "valid") charge(limits.calls, `strangers through ${hop.relay.edgeId}`);
    else charge(limits.anonymous, stranger);
    return refuseUnlessAllowed(rule, through(hop, nobody));
  };

  return {
    admit,

    async admitCall(context) {
      const rule = accessRule(context.method);
      const caller = await admit(rule, context.requestHeader, originOf(context));
      context.values.set(callerKey, caller);
    },

    async readmitCall({ method, requestHeader, values }) {
      const before = values.get(callerKey);
      if (before.kind === "nobody" && !before.relay) return;
      const rule = accessRule(method);
      const open = rule.callers.includes(CallerKind.ANYONE);
      const hop = await findHop(authenticator, rule, requestHeader);
      const caller = open ? nobody : await authenticator.authenticate(requestHeader);
      values.set(callerKey, refuseUnlessAllowed(rule, through(hop, caller)));
    },
  };
}

/** Whether a call may be an agent's, by what its credential looks like: only these are relayed. */
const isOfAgents = (headers: CallHeaders, known: boolean) =>
  !known || !/^Bearer +lmt(?!ac)[a-z]{2}_/i.test(headers.get("authorization") ?? "");

/** The caller, with the collector that passed the call on, if it may and there is one. */
function through(hop: Hop, caller: Caller): Caller {
  refuseHop(caller, hop);
  if (hop.kind !== "valid") return caller;
  return caller.kind === "agent" || caller.kind === "nobody"
    ? { ...caller, relay: hop.relay }
    : caller;
}

function charge(limit: RateLimit, key: string): void {
  refuseFor(limit.take(key));
}

function refuseFor(wait: number): void {
  if (wait === 0) return;
  throw problem(
    Code.ResourceExhausted,
    Reason.OVERLOADED,
    `too many calls; come again in ${Math.ceil(wait / 1000)} s`,
    wait,
  );
}
