import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type MetricsService,
  WriteMetricsRequestSchema,
  WriteMetricsResponseSchema,
} from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Gate } from "../access/gate.ts";
import { callerOf } from "../context.ts";
import { answerOf } from "./answer.ts";
import { explain } from "./explain.ts";
import { senderOf } from "./sender.ts";
import type { Ingest } from "./write.ts";

/** Points in every protocol and encoding; they go the way of the binary form. */
export function metricsService({
  ingest,
  gate,
}: {
  ingest: Ingest;
  gate: Gate;
}): ServiceImpl<typeof MetricsService> {
  return {
    async writeMetrics(request, context) {
      const bytes = toBinary(WriteMetricsRequestSchema, request, { writeUnknownFields: false });
      try {
        const appended = await ingest.write(senderOf(callerOf(context)), Buffer.from(bytes), {
          // Series may have taken long to look up: whoever was let in then, or passed the call on,
          // may be revoked by now.
          confirm: () => gate.readmitCall(context),
          signal: context.signal,
        });
        return fromBinary(WriteMetricsResponseSchema, answerOf(appended));
      } catch (error) {
        throw explain(error);
      }
    },
  };
}
