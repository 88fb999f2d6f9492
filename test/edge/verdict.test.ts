import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import { NotConnected } from "../../edge/not-connected.ts";
import { type Action, type Bearing, judge } from "../../edge/verdict.ts";
import { ProblemSchema, Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";

const failure = (code: Code, reason?: Reason, retrySeconds?: number) =>
  new ConnectError(
    "no",
    code,
    undefined,
    reason === undefined
      ? []
      : [
          {
            desc: ProblemSchema,
            value: create(ProblemSchema, {
              reason,
              ...(retrySeconds && { retryAfter: { seconds: BigInt(retrySeconds) } }),
            }),
          },
        ],
  );

const neverConnected = () =>
  Object.assign(failure(Code.Unavailable), { cause: new NotConnected("refused", "ECONNREFUSED") });

const table: [
  meaning: string,
  error: unknown,
  action: Action,
  route: Bearing,
  nothingStored: boolean,
][] = [
  [
    "a revoked identity is over",
    failure(Code.Unauthenticated, Reason.REVOKED),
    "stop",
    "keep",
    true,
  ],
  [
    "an ended credential may have a successor",
    failure(Code.Unauthenticated, Reason.CREDENTIAL_EXPIRED),
    "other_credential",
    "keep",
    true,
  ],
  [
    "a server that lost its memory is waited for",
    failure(Code.Unauthenticated, Reason.CREDENTIAL_UNKNOWN),
    "other_credential",
    "keep",
    true,
  ],
  [
    "a portal that wants a sign-in is waited for, and left if it insists",
    failure(Code.Unauthenticated),
    "retry",
    "doubt",
    true,
  ],
  [
    "a busy server is waited for",
    failure(Code.ResourceExhausted, Reason.OVERLOADED),
    "retry",
    "keep",
    true,
  ],
  [
    "a server without its database is waited for",
    failure(Code.Unavailable, Reason.OVERLOADED),
    "retry",
    "keep",
    false,
  ],
  [
    "what is too large is split",
    failure(Code.ResourceExhausted, Reason.TOO_LARGE),
    "split",
    "keep",
    true,
  ],
  [
    "what is larger than any message is split",
    failure(Code.ResourceExhausted),
    "split",
    "keep",
    true,
  ],
  ["what cannot be read is split", failure(Code.InvalidArgument), "split", "keep", true],
  [
    "an answer that was lost may follow a commit",
    failure(Code.Unavailable),
    "retry",
    "doubt",
    false,
  ],
  ["so may a reset", failure(Code.Aborted), "retry", "doubt", false],
  ["so may an error inside", failure(Code.Internal), "retry", "doubt", false],
  [
    "so may a time-out, and nobody waits for that again on the same route",
    failure(Code.DeadlineExceeded),
    "retry",
    "leave",
    false,
  ],
  ["what was never connected was never stored", neverConnected(), "retry", "leave", true],
  [
    "a collector whose relay the server refuses is left",
    failure(Code.Unavailable, Reason.RELAY_REFUSED),
    "retry",
    "leave",
    true,
  ],
  [
    "a relay that is busy is left",
    failure(Code.Unavailable, Reason.RELAY_BUSY),
    "retry",
    "leave",
    true,
  ],
  [
    "a relay that has lost the server is left, and may have lost it after passing the call on",
    failure(Code.Unavailable, Reason.UPSTREAM_UNREACHABLE),
    "retry",
    "leave",
    false,
  ],
];

for (const [meaning, error, action, route, nothingStored] of table) {
  test(meaning, (t) => {
    t.like(judge(error), { action, route, nothingStored });
  });
}

test("the server says how long to wait", (t) => {
  t.is(judge(failure(Code.ResourceExhausted, Reason.OVERLOADED, 7)).retryAfterMs, 7000);
});
