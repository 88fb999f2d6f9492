import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type { CredentialService } from "../../gen/lumetry/edge/v1/credential_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { recordChange } from "../audit/store.ts";
import { edgeOf, originOf } from "../context.ts";
import { lockEdge } from "../edges/store.ts";
import { problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { insertCredential, voidPendingCredential } from "./store.ts";

const CONFIRM_WITHIN_MS = 600_000;

export function credentialService({ db }: Parts): ServiceImpl<typeof CredentialService> {
  return {
    async rotateCredential(_request, context) {
      const caller = edgeOf(context);
      const credential = makeSecret(caller.kind === "agent" ? "lmtac" : "lmtcc");
      await db.transaction().execute(async (transaction) => {
        const edge = await lockEdge(transaction, caller.workspaceId, caller.edgeId);
        if (!edge || edge.status === "revoked") {
          throw problem(
            Code.Unauthenticated,
            Reason.REVOKED,
            `the ${caller.kind} was revoked, for good`,
          );
        }
        if (edge.status !== "active") {
          throw problem(
            Code.FailedPrecondition,
            Reason.DUPLICATE_SUSPECTED,
            "two processes seem to share this identity; rotation waits until an operator has decided",
          );
        }
        await voidPendingCredential(transaction, edge);
        await insertCredential(transaction, edge, {
          credentialId: makeId("crd"),
          secretHash: hashSecret(credential),
          confirmWithinMs: CONFIRM_WITHIN_MS,
        });
        await recordChange(transaction, caller.workspaceId, caller, originOf(context), {
          action: `${caller.kind}.credential_issued`,
          target: { id: caller.edgeId, name: caller.displayName },
        });
      });
      return { credential, confirmWithin: durationFromMs(CONFIRM_WITHIN_MS) };
    },
  };
}
