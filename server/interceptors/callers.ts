import type { Interceptor } from "@connectrpc/connect";
import type { Gate } from "../access/gate.ts";

/**
 * A body may take its time to arrive, and whoever was let in at its start may have been revoked or
 * demoted meanwhile: so the gate is asked again before the call is carried out.
 */
export function confirmCallers(gate: Gate): Interceptor {
  return (next) => async (request) => {
    const { method, header: requestHeader, contextValues: values, signal } = request;
    await gate.readmitCall({ method, requestHeader, values, signal });
    return next(request);
  };
}
