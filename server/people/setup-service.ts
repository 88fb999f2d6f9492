import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { SetupService } from "../../gen/lumetry/v1/setup_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret } from "../../lib/secret.ts";
import { recordChange } from "../audit/store.ts";
import { originOf } from "../context.ts";
import { problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { foundWorkspace } from "../workspaces/founding.ts";
import { completeSetup, findDeployment } from "./deployment-store.ts";
import { type Passwords, requireGoodPassword } from "./passwords.ts";
import { deliver, requireCookiePage } from "./session-cookie.ts";
import { signIn } from "./sign-in.ts";
import { insertActiveUser } from "./user-store.ts";

export function setupService(
  { db, settings }: Parts,
  passwords: Passwords,
): ServiceImpl<typeof SetupService> {
  /** Throws unless the secret is the one that completes the set-up. */
  const requireSecret = async (hash: Buffer) => {
    const { setup_hash, setup_completed_at } = await findDeployment(db);
    if (setup_completed_at) {
      throw new ConnectError(
        "the set-up is completed already; sign in, or ask whoever did it for an invitation",
        Code.FailedPrecondition,
      );
    }
    if (!setup_hash?.equals(hash)) {
      throw problem(
        Code.Unauthenticated,
        Reason.CREDENTIAL_UNKNOWN,
        "this is not the set-up secret; the server printed it when it was last started, as lmtsu_…",
      );
    }
  };

  return {
    async getSetup() {
      const { setup_completed_at } = await findDeployment(db);
      return { completed: setup_completed_at !== null };
    },

    async completeSetup(request, context) {
      const { setupSecret, workspaceName, email, displayName, password, asCookie } = request;
      requireCookiePage(asCookie, context);
      const hash = hashSecret(setupSecret);
      await requireSecret(hash);
      requireGoodPassword(password, email);
      const passwordHash = await passwords.hash(password);
      const signedIn = await db.transaction().execute(async (transaction) => {
        if (!(await completeSetup(transaction, hash))) return undefined;
        const workspace = await foundWorkspace(transaction, workspaceName, settings);
        const workspaceId = workspace.workspace_id;
        const owner = await insertActiveUser(
          transaction,
          { workspaceId, userId: makeId("usr"), email, displayName, role: "owner" },
          passwordHash,
        );
        const opened = await signIn(
          transaction,
          owner,
          originOf(context),
          settings.sessionLifetime,
        );
        await recordChange(transaction, workspaceId, opened.person, originOf(context), {
          action: "workspace.created",
          target: { id: workspaceId, name: workspaceName },
          details: { ownerId: owner.user_id, email },
        });
        return opened;
      });
      if (!signedIn) {
        // Somebody was faster, or the server was started again: this time it throws.
        await requireSecret(hash);
        throw new ConnectError("the set-up was changed meanwhile; try again", Code.Aborted);
      }
      return { session: deliver(signedIn, asCookie, context, settings.sessionLifetime) };
    },
  };
}
