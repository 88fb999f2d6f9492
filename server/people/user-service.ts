import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { Role } from "../../gen/lumetry/access/v1/access_pb.js";
import type { UserService } from "../../gen/lumetry/v1/user_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { roleName } from "../access/names.ts";
import type { RoleName } from "../access/table.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, type Person, personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound, problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { lockWorkspace } from "../workspaces/store.ts";
import { endCredentials } from "./session-store.ts";
import { asTarget, explainNewUser, toInvitation, toUser } from "./user.ts";
import * as store from "./user-store.ts";

const ADMINISTRATORS: RoleName[] = ["admin", "owner"];

interface Wanted {
  displayName?: string | undefined;
  role?: RoleName | undefined;
  disabled?: boolean | undefined;
}

export function userService({ db, authenticator }: Parts): ServiceImpl<typeof UserService> {
  return {
    async createUser({ email, displayName, role }, context) {
      const person = personOf(context);
      const secret = makeSecret("lmtiv");
      try {
        const user = await db.transaction().execute(async (transaction) => {
          const created = await store.insertInvitedUser(
            transaction,
            {
              workspaceId: person.workspaceId,
              userId: makeId("usr"),
              email,
              displayName,
              role: roleName(role),
            },
            hashSecret(secret),
          );
          await recordChange(transaction, person.workspaceId, person, originOf(context), {
            action: "user.created",
            target: asTarget(created),
            details: { email, role: created.role },
          });
          return created;
        });
        return { user: toUser(user), invitation: toInvitation(secret, user) };
      } catch (error) {
        throw explainNewUser(error);
      }
    },

    async listUsers(request, context) {
      const page = readPage(request, 1);
      const found = await store.listUsers(db, personOf(context).workspaceId, page, request.search);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.email]);
      return { users: rows.map(toUser), nextPageToken };
    },

    async updateUser({ userId, displayName, role, disabled }, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      const wanted: Wanted = {
        displayName,
        role: role === undefined ? undefined : roleName(role),
        disabled,
      };
      const user = await db.transaction().execute(async (transaction) => {
        await lockWorkspace(transaction, workspaceId);
        const before = await lockManaged(transaction, person, userId);
        await requireAllowed(transaction, before, wanted);
        const after = await store.updateUser(transaction, workspaceId, userId, wanted);
        if (after.disabled) await endCredentials(transaction, workspaceId, userId);
        await recordChange(transaction, workspaceId, person, originOf(context), {
          action: actionOf(before, after),
          target: asTarget(after),
          details: difference(before, after),
        });
        return after;
      });
      authenticator.forget((caller) => caller.kind === "person" && caller.userId === userId);
      return { user: toUser(user) };
    },

    async replaceInvitation({ userId }, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      const secret = makeSecret("lmtiv");
      const user = await db.transaction().execute(async (transaction) => {
        const before = await lockManaged(transaction, person, userId);
        if (before.disabled) {
          throw new ConnectError(
            "the person is disabled; enable them first",
            Code.FailedPrecondition,
          );
        }
        const hash = hashSecret(secret);
        const after = await store.replaceInvitation(transaction, workspaceId, userId, hash);
        await recordChange(transaction, workspaceId, person, originOf(context), {
          action: "invitation.replaced",
          target: asTarget(after),
        });
        return after;
      });
      return { invitation: toInvitation(secret, user) };
    },
  };
}

/** Locks the row of somebody whom the caller may manage. */
async function lockManaged(db: Database, person: Person, userId: string): Promise<store.UserRow> {
  const user = await store.lockUser(db, person.workspaceId, userId);
  if (!user) throw notFound("person", userId);
  if (user.role === "owner" && person.role < Role.OWNER) {
    throw problem(
      Code.PermissionDenied,
      Reason.NOT_ALLOWED,
      "only an owner can change an owner; yours is a lesser role",
    );
  }
  return user;
}

/** Nobody may leave a workspace without somebody who can sign in and administer it. */
async function requireAllowed(db: Database, user: store.UserRow, wanted: Wanted): Promise<void> {
  const { workspace_id: workspaceId, user_id: userId } = user;
  const refuse = (message: string) => new ConnectError(message, Code.FailedPrecondition);
  if (user.role === "owner" && wanted.role !== undefined) {
    throw refuse("an owner stays owner; the role cannot be changed");
  }
  if (user.disabled || !ADMINISTRATORS.includes(user.role)) return;
  const leaves = wanted.disabled === true || (wanted.role !== undefined && wanted.role !== "admin");
  if (!leaves) return;
  if (!(await store.isThereAnother(db, workspaceId, userId, ADMINISTRATORS))) {
    throw refuse(
      "this is the last administrator who can sign in; make somebody else administrator first",
    );
  }
  if (user.role === "owner" && !(await store.isThereAnother(db, workspaceId, userId, ["owner"]))) {
    throw refuse("this is the only owner; nobody else could create workspaces or undo this");
  }
}

function actionOf(before: store.UserRow, after: store.UserRow): string {
  if (before.disabled === after.disabled) return "user.updated";
  return after.disabled ? "user.disabled" : "user.enabled";
}

function difference(before: store.UserRow, after: store.UserRow): Record<string, unknown> {
  return {
    ...(before.display_name !== after.display_name && {
      displayName: { from: before.display_name, to: after.display_name },
    }),
    ...(before.role !== after.role && { role: { from: before.role, to: after.role } }),
  };
}
