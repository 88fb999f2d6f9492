import { Code, type ConnectError } from "@connectrpc/connect";
import { problem, Reason } from "../problem.ts";

const COLLECTOR = {
  unknown: [
    Reason.TOKEN_UNKNOWN,
    "the enrollment token is unknown or was replaced; ask an administrator for a new one",
  ],
  expired: [
    Reason.TOKEN_EXPIRED,
    "the enrollment token has expired; ask an administrator for a replacement",
  ],
  used: [
    Reason.TOKEN_USED,
    "the enrollment token has been used; register another collector for another installation",
  ],
} as const;

const AGENT = {
  unknown: [
    Reason.TOKEN_UNKNOWN,
    "the enrollment token is unknown; check that it was copied whole, or ask an administrator for another",
  ],
  expired: [
    Reason.TOKEN_EXPIRED,
    "the enrollment profile has expired; ask an administrator for the token of another",
  ],
  disabled: [
    Reason.TOKEN_DISABLED,
    "an administrator has disabled the enrollment profile; ask for the token of another",
  ],
  exhausted: [
    Reason.TOKEN_EXHAUSTED,
    "the enrollment profile has been used as often as it may; ask an administrator for the token of another",
  ],
  used: [
    Reason.TOKEN_USED,
    "this enrollment was completed, and its credential has been used; to enroll once more, begin with a new nonce",
  ],
  revoked: [Reason.REVOKED, "the agent was revoked, for good; enroll again with a new nonce"],
} as const;

export type CollectorRefusal = keyof typeof COLLECTOR;
export type AgentRefusal = keyof typeof AGENT;

const refused = ([reason, message]: readonly [Reason, string]): ConnectError =>
  problem(Code.Unauthenticated, reason, message);

export const collectorRefused = (why: CollectorRefusal) => refused(COLLECTOR[why]);
export const agentRefused = (why: AgentRefusal) => refused(AGENT[why]);
