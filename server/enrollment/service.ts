import { Code, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { EnrollmentService } from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { makePlaces, TooManyWaiting } from "../../lib/places.ts";
import { problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { agentEnrollment } from "./agents.ts";
import { collectorEnrollment } from "./collectors.ts";

/**
 * Hosts come by the hundred, and those of one profile wait for each other in the database: more
 * than these would only hold connections that everybody else needs.
 */
const AT_ONCE = 2;
const MOST_WAITING = 500;

export function enrollmentService(parts: Parts): ServiceImpl<typeof EnrollmentService> {
  const places = makePlaces(AT_ONCE, MOST_WAITING);
  const inTurn = async <T>(context: HandlerContext, work: () => Promise<T>): Promise<T> => {
    try {
      return await places.take(work, context.signal);
    } catch (error) {
      if (!(error instanceof TooManyWaiting)) throw error;
      throw problem(
        Code.Unavailable,
        Reason.OVERLOADED,
        "too many enroll at this moment; come again in 5 s",
        5_000,
      );
    }
  };
  const { enrollCollector } = collectorEnrollment(parts);
  const { enrollAgent } = agentEnrollment(parts);
  return {
    enrollCollector: (request, context) => inTurn(context, () => enrollCollector(request, context)),
    enrollAgent: (request, context) => inTurn(context, () => enrollAgent(request, context)),
  };
}
