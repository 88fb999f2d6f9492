import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { WorkService } from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { Trace } from "../../lib/egress/dialler.ts";
import { makeTurns } from "../../lib/turns.ts";
import type { Lease } from "./lease.ts";
import { span } from "./span.ts";

/** Progress is told while it is news, or not at all. */
const TELL_WITHIN_MS = 5_000;

/**
 * Tells whoever waits for a test what it is doing, one step after the other. A step that cannot be told
 * is left out; when nobody waits any more, the test is over.
 */
export function tellProgress(
  work: Client<typeof WorkService>,
  processId: string,
  lease: Lease,
): Trace {
  const begun = performance.now();
  const inTurn = makeTurns();
  return (phase, message) => {
    const elapsed = span(performance.now() - begun);
    void inTurn(async () => {
      if (lease.lost.aborted) return;
      const step = { phase, message: message.slice(0, 512), elapsed };
      try {
        await work.reportProgress(
          { processId, claim: lease.claim, ...step },
          { timeoutMs: TELL_WITHIN_MS },
        );
      } catch (error) {
        if (ConnectError.from(error).code === Code.FailedPrecondition) lease.lose();
      }
    });
  };
}
