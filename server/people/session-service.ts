import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { SessionService } from "../../gen/lumetry/v1/session_service_pb.js";
import { hashSecret, secretKind } from "../../lib/secret.ts";
import { recordChange } from "../audit/store.ts";
import { nobody, originOf, personOf } from "../context.ts";
import { problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { findWorkspace } from "../workspaces/store.ts";
import { makeAttempts } from "./attempts.ts";
import { type Passwords, requireGoodPassword } from "./passwords.ts";
import { deliver, requireCookiePage, takeBackCookie } from "./session-cookie.ts";
import { deleteSession, endCredentials } from "./session-store.ts";
import { signIn } from "./sign-in.ts";
import { asTarget, toUser } from "./user.ts";
import * as store from "./user-store.ts";

/** Refusals leave at full ticks, so that their time does not tell which addresses have a person. */
const REFUSAL_TICK_MS = 100;

export function sessionService(
  { db, settings, clock, authenticator }: Parts,
  passwords: Passwords,
): ServiceImpl<typeof SessionService> {
  const attempts = makeAttempts(clock);

  /** The person's own row; it can only be missing when they were removed a moment ago. */
  const findSelf = async (workspaceId: string, userId: string) => {
    const user = await store.findUser(db, workspaceId, userId);
    if (!user) throw problem(Code.Unauthenticated, Reason.CREDENTIAL_EXPIRED, "you were removed");
    return user;
  };

  const forget = (userId: string) =>
    authenticator.forget((caller) => caller.kind === "person" && caller.userId === userId);

  return {
    async createSession({ email, password, asCookie }, context) {
      requireCookiePage(asCookie, context);
      const begun = clock.monotonic();
      const origin = originOf(context);
      const signedIn = await attempts.guess(email, async () => {
        const user = await store.findUserByEmail(db, email);
        const right = await passwords.matches(password, user?.password_hash);
        if (!user) return undefined;
        return db.transaction().execute(async (transaction) => {
          const current = right ? await store.noteSignIn(transaction, user) : undefined;
          if (current) {
            return signIn(transaction, current, origin, settings.sessionLifetime);
          }
          await recordChange(transaction, user.workspace_id, nobody, origin, {
            action: "session.refused",
            target: asTarget(user),
            details: { reason: refusalReason(user, right) },
          });
          return undefined;
        });
      });
      if (signedIn) {
        return { session: deliver(signedIn, asCookie, context, settings.sessionLifetime) };
      }
      await clock.sleep(REFUSAL_TICK_MS - ((clock.monotonic() - begun) % REFUSAL_TICK_MS));
      throw problem(
        Code.Unauthenticated,
        Reason.CREDENTIAL_UNKNOWN,
        "the e-mail address or the password is wrong, or the person may not sign in",
      );
    },

    async acceptInvitation({ invitation, password, asCookie }, context) {
      requireCookiePage(asCookie, context);
      const hash = hashSecret(invitation);
      const invited =
        secretKind(invitation) === "lmtiv" ? await store.findUserByInvitation(db, hash) : undefined;
      if (!invited) throw invitationUnknown();
      if (invited.expired) {
        throw problem(
          Code.Unauthenticated,
          Reason.CREDENTIAL_EXPIRED,
          "the invitation has expired; ask an administrator for a new one",
        );
      }
      requireGoodPassword(password, invited.email);
      const passwordHash = await passwords.hash(password);
      const opened = await db.transaction().execute(async (transaction) => {
        const user = await store.acceptInvitation(transaction, hash, passwordHash);
        if (!user) throw invitationUnknown();
        await endCredentials(transaction, user.workspace_id, user.user_id);
        const signedIn = await signIn(
          transaction,
          user,
          originOf(context),
          settings.sessionLifetime,
        );
        await recordChange(transaction, user.workspace_id, signedIn.person, originOf(context), {
          action: "invitation.accepted",
          target: asTarget(user),
        });
        return signedIn;
      });
      forget(opened.person.userId);
      attempts.clear(invited.email);
      return { session: deliver(opened, asCookie, context, settings.sessionLifetime) };
    },

    async getSession(_request, context) {
      const { workspaceId, userId, role } = personOf(context);
      const [user, workspace] = await Promise.all([
        findSelf(workspaceId, userId),
        findWorkspace(db, workspaceId),
      ]);
      return { user: toUser(user), workspaceId, workspaceName: workspace.display_name, role };
    },

    async deleteSession(_request, context) {
      const person = personOf(context);
      await db.transaction().execute(async (transaction) => {
        if (!(await deleteSession(transaction, person.secretHash))) {
          throw new ConnectError(
            "this call was not made with a session; an access token is ended by revoking it",
            Code.FailedPrecondition,
          );
        }
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: "session.deleted",
          target: { id: person.userId, name: person.displayName },
        });
      });
      authenticator.forget(
        (caller) => caller.kind === "person" && caller.secretHash.equals(person.secretHash),
      );
      takeBackCookie(context);
      return {};
    },

    async changePassword({ currentPassword, newPassword }, context) {
      const person = personOf(context);
      const origin = originOf(context);
      const user = await findSelf(person.workspaceId, person.userId);
      requireGoodPassword(newPassword, user.email);
      const right = await attempts.guess(user.email, () =>
        passwords.matches(currentPassword, user.password_hash),
      );
      if (!right) {
        await recordChange(db, person.workspaceId, person, origin, {
          action: "password.change_refused",
          target: asTarget(user),
        });
        throw new ConnectError("the current password is wrong", Code.PermissionDenied);
      }
      const passwordHash = await passwords.hash(newPassword);
      await db.transaction().execute(async (transaction) => {
        if (!(await store.replacePassword(transaction, user, passwordHash))) {
          throw problem(
            Code.Aborted,
            Reason.CONFLICT,
            "the password was changed from elsewhere at the same time",
          );
        }
        await endCredentials(transaction, person.workspaceId, person.userId, person.secretHash);
        await recordChange(transaction, person.workspaceId, person, origin, {
          action: "password.changed",
          target: asTarget(user),
        });
      });
      forget(person.userId);
      return {};
    },
  };
}

function refusalReason(user: store.UserRow, right: boolean): string {
  if (!right) return user.password_hash === null ? "no password yet" : "wrong password";
  return user.disabled ? "disabled" : "changed meanwhile";
}

const invitationUnknown = () =>
  problem(
    Code.Unauthenticated,
    Reason.CREDENTIAL_UNKNOWN,
    "the invitation is unknown: it was used, replaced or not copied whole",
  );
