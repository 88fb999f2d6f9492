import { create, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type {
  EnrollCollectorRequest,
  EnrollCollectorResponseSchema,
} from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { HostSchema } from "../../gen/lumetry/edge/v1/host_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret, secretKind } from "../../lib/secret.ts";
import { recordChange } from "../audit/store.ts";
import { nobody, originOf } from "../context.ts";
import { insertCredential, voidPendingCredential } from "../credentials/store.ts";
import type { Database } from "../db/database.ts";
import type { Parts } from "../routes.ts";
import { type CollectorRefusal, collectorRefused } from "./refusals.ts";
import * as store from "./store.ts";

/** A one-time token becomes the credential of the registration that it was minted for. */
export function collectorEnrollment({ db, settings }: Parts) {
  return {
    async enrollCollector(
      request: EnrollCollectorRequest,
      context: HandlerContext,
    ): Promise<MessageInitShape<typeof EnrollCollectorResponseSchema>> {
      if (secretKind(request.enrollmentToken) !== "lmtce") throw collectorRefused("unknown");
      const tokenHash = hashSecret(request.enrollmentToken);
      const nonceHash = hashSecret(request.nonce);
      const credential = makeSecret("lmtcc");

      const enrolled = await db.transaction().execute(async (transaction) => {
        const collector = await store.lockCollectorByToken(transaction, tokenHash);
        if (!collector) return { why: "unknown" as const };
        const why = await refusal(transaction, collector, nonceHash);
        if (why) return { collector, why };
        await voidPendingCredential(transaction, collector);
        await store.markEnrolled(transaction, collector, {
          nonceHash,
          host: toJson(HostSchema, request.host ?? create(HostSchema)),
          version: request.version,
        });
        await insertCredential(transaction, collector, {
          credentialId: makeId("crd"),
          secretHash: hashSecret(credential),
          confirmWithinMs: undefined,
        });
        await recordChange(transaction, collector.workspace_id, nobody, originOf(context), {
          action: "collector.enrolled",
          target: { id: collector.edge_id, name: collector.display_name },
          details: { hostname: request.host?.hostname, version: request.version },
        });
        return { collector };
      });

      const { collector, why } = enrolled;
      if (why !== undefined) {
        // A refused token is worth a line to whoever watches that collector.
        if (collector) {
          await recordChange(db, collector.workspace_id, nobody, originOf(context), {
            action: "collector.enrollment_refused",
            target: { id: collector.edge_id, name: collector.display_name },
            details: { why },
          });
        }
        throw collectorRefused(why);
      }
      return {
        collectorId: collector.edge_id,
        credential,
        heartbeatInterval: durationFromMs(settings.heartbeatInterval),
      };
    },
  };
}

/**
 * The edge may have crashed, or the answer been lost, before it had its credential: it asks again
 * with the nonce that it kept. That works until the credential is first used.
 */
async function refusal(
  db: Database,
  collector: store.TokenHolder,
  nonceHash: Buffer,
): Promise<CollectorRefusal | undefined> {
  if (collector.status === "pending") return collector.token_expired ? "expired" : undefined;
  const isAskedAgain =
    collector.status === "active" &&
    collector.enroll_nonce_hash?.equals(nonceHash) &&
    !(await store.hasUsedCredential(db, collector));
  return isAskedAgain ? undefined : "used";
}
