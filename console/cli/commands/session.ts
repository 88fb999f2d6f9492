import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { RoleSchema } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  ChangePasswordResponseSchema,
  DeleteSessionResponseSchema,
  GetSessionResponseSchema,
  SessionService,
} from "../../../gen/lumetry/v1/session_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { CliError, usageError } from "../errors.ts";
import { askNewPassword, askPassword } from "../passwords.ts";
import { forgetSession } from "../session-files.ts";
import { facts } from "../table.ts";
import { plain } from "../terminal.ts";
import { enumWord } from "../words.ts";

export function addSession(program: Command, cli: Cli): void {
  example(
    program
      .command("logout")
      .description("End the session, here and on the server.")
      .action(async () => {
        const connection = cli.signedIn();
        const place = cli.place();
        if (place?.credential?.from !== place?.file?.file) {
          throw usageError(
            `${place?.credential?.from} holds a token, not a session.`,
            'A token is ended by "lumetry tokens revoke".',
          );
        }
        let response = create(DeleteSessionResponseSchema);
        try {
          response = await connection.client(SessionService).deleteSession({});
        } catch (error) {
          // A session that the server does not know any more only has to be forgotten here.
          if (!(error instanceof ConnectError && error.code === Code.Unauthenticated)) throw error;
        }
        if (place?.file) forgetSession(place.file.file, place.url);
        cli.answer(DeleteSessionResponseSchema, response, () => `Signed out of ${place?.url}.`);
      }),
    "lumetry logout",
  );

  example(
    program
      .command("whoami")
      .description("Show who you are, where, and what you may do.")
      .action(async () => {
        const connection = cli.signedIn();
        const response = await connection.client(SessionService).getSession({});
        const { user, workspaceId, workspaceName, role } = response;
        const place = cli.place();
        cli.answer(GetSessionResponseSchema, response, () =>
          facts(
            [
              ["name", plain(user?.displayName ?? "")],
              ["e-mail", plain(user?.email ?? "")],
              ["id", user?.userId],
              ["role", roleText(role, user?.role ?? 0)],
              ["workspace", `${plain(workspaceName)}  ${workspaceId}`],
              ["server", place?.url],
              ["signed in by", place?.credential?.from],
            ],
            cli.terminal,
          ),
        );
      }),
    "lumetry whoami",
  );

  example(
    program
      .command("password")
      .description("Change your password; other sessions and all your tokens end.")
      .addHelpText(
        "after",
        "\nBoth passwords are asked for without showing them, or read from LUMETRY_PASSWORD and\nLUMETRY_NEW_PASSWORD, or from two lines of standard input.",
      )
      .action(async () => {
        const connection = cli.signedIn();
        const currentPassword = await askPassword(cli, "Current password: ");
        const newPassword = await askNewPassword(cli, "LUMETRY_NEW_PASSWORD");
        if (newPassword === currentPassword) {
          throw new CliError("The new password is the current one; nothing was changed.");
        }
        const response = await connection
          .client(SessionService)
          .changePassword({ currentPassword, newPassword });
        cli.answer(
          ChangePasswordResponseSchema,
          response,
          () => "The password was changed; other sessions and all your tokens have ended.",
        );
      }),
    "lumetry password",
  );
}

function roleText(role: number, own: number): string {
  const word = enumWord(RoleSchema, role);
  return role === own ? word : `${word} (less than your own, ${enumWord(RoleSchema, own)})`;
}
