import type { Command } from "commander";
import {
  CreateWorkspaceResponseSchema,
  GetWorkspaceResponseSchema,
  SetSeriesLimitResponseSchema,
  UpdateWorkspaceResponseSchema,
  type Workspace,
  WorkspaceService,
} from "../../../gen/lumetry/v1/workspace_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { invitationText } from "../invitation.ts";
import { facts } from "../table.ts";
import { plain } from "../terminal.ts";
import { countText, momentText, readCount } from "../words.ts";

export function addWorkspaces(program: Command, cli: Cli): void {
  const workspaces = program
    .command("workspaces")
    .description("The tenants of a server; nothing in one can be seen from another.");

  example(
    workspaces
      .command("show")
      .description("Show your own workspace.")
      .action(async () => {
        const response = await cli.signedIn().client(WorkspaceService).getWorkspace({});
        cli.answer(GetWorkspaceResponseSchema, response, () => show(cli, response.workspace));
      }),
    "lumetry workspaces show",
  );

  example(
    workspaces
      .command("rename")
      .description("Rename your own workspace.")
      .argument("<name>", "its new name")
      .action(async (displayName: string) => {
        const response = await cli
          .signedIn()
          .client(WorkspaceService)
          .updateWorkspace({ displayName });
        cli.answer(
          UpdateWorkspaceResponseSchema,
          response,
          () => `The workspace is now named "${plain(response.workspace?.displayName ?? "")}".`,
        );
      }),
    'lumetry workspaces rename "Acme Europe"',
  );

  example(
    workspaces
      .command("limit")
      .description("Set how many series a workspace may have; those that exist go on.")
      .argument("<series>", "the most", readCount(1))
      .option("--workspace <id>", "of this workspace; your own when not given")
      .action(async (most: number, { workspace: workspaceId = "" }: { workspace?: string }) => {
        const response = await cli
          .signedIn()
          .client(WorkspaceService)
          .setSeriesLimit({ workspaceId, seriesLimit: BigInt(most) });
        cli.answer(SetSeriesLimitResponseSchema, response, () => {
          const { displayName = "", seriesCount = 0n, seriesLimit = 0n } = response.workspace ?? {};
          return `"${plain(displayName)}" may have ${countText(seriesLimit)} series; it has ${countText(seriesCount)}.`;
        });
      }),
    "lumetry workspaces limit 500000",
  );

  example(
    workspaces
      .command("create")
      .description("Add a tenant, and invite its first administrator.")
      .argument("<name>", "name of the workspace")
      .requiredOption("--admin-email <address>", "who will administer it")
      .requiredOption("--admin-name <name>", "their name")
      .action(async (displayName: string, options: { adminEmail: string; adminName: string }) => {
        const response = await cli.signedIn().client(WorkspaceService).createWorkspace({
          displayName,
          adminEmail: options.adminEmail,
          adminDisplayName: options.adminName,
        });
        const { workspace, invitation } = response;
        cli.answer(CreateWorkspaceResponseSchema, response, () =>
          [
            `The workspace "${plain(workspace?.displayName ?? "")}" was created: ${workspace?.workspaceId}`,
            invitationText(cli, options.adminName, invitation),
          ].join("\n\n"),
        );
      }),
    "lumetry workspaces create Globex --admin-email alma@globex.example --admin-name Alma",
  );
}

function show(cli: Cli, workspace: Workspace | undefined): string {
  if (!workspace) return "";
  const { seriesCount, seriesLimit } = workspace;
  return facts(
    [
      ["name", plain(workspace.displayName)],
      ["id", workspace.workspaceId],
      ["created", momentText(workspace.createTime, cli.now())],
      ["series", `${countText(seriesCount)} of at most ${countText(seriesLimit)}`],
    ],
    cli.terminal,
  );
}
