import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { type Role, RoleSchema } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  User_Status as Status,
  type User,
  User_StatusSchema,
} from "../../../gen/lumetry/v1/user_pb.js";
import {
  CreateUserResponseSchema,
  ListUsersResponseSchema,
  ReplaceInvitationResponseSchema,
  UpdateUserResponseSchema,
  UserService,
} from "../../../gen/lumetry/v1/user_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { usageError } from "../errors.ts";
import { invitationText } from "../invitation.ts";
import { allPages } from "../pages.ts";
import { resolveUser } from "../resolve.ts";
import { table } from "../table.ts";
import { plain, type Style } from "../terminal.ts";
import { ageOf, enumWord, readEnum } from "../words.ts";

const ROLES = "viewer, operator or admin";

export function addUsers(program: Command, cli: Cli): void {
  const users = program.command("users").description("The people of the workspace.");
  const client = () => cli.signedIn().client(UserService);
  const named = (command: Command) => command.argument("<user>", "e-mail address, name or id");

  example(
    users
      .command("list")
      .description("List everybody, by e-mail address.")
      .option("--search <text>", "only those whose name or address holds it, or whose id it is")
      .action(async ({ search = "" }: { search?: string }) => {
        const asked = client();
        const found = await allPages(
          (page) => asked.listUsers({ ...page, search }),
          (page) => page.users,
        );
        const response = create(ListUsersResponseSchema, { users: found });
        cli.answer(ListUsersResponseSchema, response, () => userTable(cli, found));
      }),
    "lumetry users list",
    "lumetry users list --search ines",
  );

  example(
    users
      .command("create")
      .description("Add a person, and show the invitation that lets them in.")
      .argument("<email>", "their e-mail address")
      .requiredOption("--name <name>", "their name")
      .requiredOption("--role <role>", ROLES, readEnum<Role>(RoleSchema))
      .action(async (email: string, options: { name: string; role: Role }) => {
        const response = await client().createUser({
          email,
          displayName: options.name,
          role: options.role,
        });
        const { user, invitation } = response;
        cli.answer(CreateUserResponseSchema, response, () =>
          [
            `${plain(user?.displayName ?? "")} was added as ${enumWord(RoleSchema, user?.role ?? 0)}: ${user?.userId}`,
            invitationText(cli, options.name, invitation),
          ].join("\n\n"),
        );
      }),
    "lumetry users create ada@example.com --name Ada --role operator",
  );

  example(
    named(users.command("update").description("Change a person's name or role."))
      .option("--name <name>", "their new name")
      .option("--role <role>", ROLES, readEnum<Role>(RoleSchema))
      .action(async (meant: string, options: { name?: string; role?: Role }) => {
        const { name, role } = options;
        if (name === undefined && role === undefined) {
          throw usageError("Nothing is to be changed.", "Use --name or --role.");
        }
        const asked = client();
        const response = await asked.updateUser({
          userId: await resolveUser(asked, meant),
          ...(name !== undefined && { displayName: name }),
          ...(role !== undefined && { role }),
        });
        cli.answer(UpdateUserResponseSchema, response, () => {
          const { user } = response;
          return `${plain(user?.displayName ?? "")} is now ${enumWord(RoleSchema, user?.role ?? 0)}.`;
        });
      }),
    "lumetry users update ada@example.com --role admin",
  );

  const setDisabled = async (meant: string, disabled: boolean) => {
    const asked = client();
    const userId = await resolveUser(asked, meant);
    const response = await asked.updateUser({ userId, disabled });
    cli.answer(UpdateUserResponseSchema, response, () =>
      disabled
        ? `${plain(meant)} can no longer sign in; all their sessions and tokens have ended.`
        : `${plain(meant)} can sign in again.`,
    );
  };
  example(
    named(
      users.command("disable").description("Keep a person out; sessions and tokens end at once."),
    ).action((meant: string) => setDisabled(meant, true)),
    "lumetry users disable ada@example.com",
  );
  example(
    named(users.command("enable").description("Let a disabled person in again.")).action(
      (meant: string) => setDisabled(meant, false),
    ),
    "lumetry users enable ada@example.com",
  );

  example(
    named(
      users
        .command("invite")
        .description("Make a new invitation, for somebody who lost the first or the password."),
    ).action(async (meant: string) => {
      const asked = client();
      const userId = await resolveUser(asked, meant);
      const response = await asked.replaceInvitation({ userId });
      cli.answer(ReplaceInvitationResponseSchema, response, () =>
        invitationText(cli, meant, response.invitation),
      );
    }),
    "lumetry users invite ada@example.com",
  );
}

const STATUS_STYLES: Partial<Record<Status, Style>> = {
  [Status.ACTIVE]: "green",
  [Status.INVITED]: "yellow",
  [Status.DISABLED]: "dim",
};

function userTable(cli: Cli, users: User[]): string {
  return table(
    users,
    [
      { title: "E-MAIL", value: ({ email }) => email, least: 16 },
      { title: "NAME", value: ({ displayName }) => displayName, least: 10, rank: 1 },
      { title: "ROLE", value: ({ role }) => enumWord(RoleSchema, role) },
      {
        title: "STATUS",
        value: ({ status }) => enumWord(User_StatusSchema, status),
        style: ({ status }) => STATUS_STYLES[status],
      },
      {
        title: "LAST SIGNED IN",
        value: ({ lastSignInTime }) => ageOf(lastSignInTime, cli.now()) || "never",
        rank: 2,
      },
      { title: "ID", value: ({ userId }) => userId, rank: 3 },
    ],
    cli.terminal,
  );
}
