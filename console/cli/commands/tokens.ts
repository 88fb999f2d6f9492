import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type Role, RoleSchema } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  type AccessToken,
  AccessTokenService,
  CreateAccessTokenResponseSchema,
  ListAccessTokensResponseSchema,
  RevokeAccessTokenResponseSchema,
} from "../../../gen/lumetry/v1/access_token_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { lifeText, secretText } from "../credentials.ts";
import { allPages } from "../pages.ts";
import { resolveAccessToken } from "../resolve.ts";
import { table } from "../table.ts";
import { plain } from "../terminal.ts";
import { ageOf, deadlineText, enumWord, readEnum, readSpan } from "../words.ts";

export function addTokens(program: Command, cli: Cli): void {
  const tokens = program
    .command("tokens")
    .description("Your own access tokens, for scripts and this command line.");
  const client = () => cli.signedIn().client(AccessTokenService);

  example(
    tokens
      .command("create")
      .description("Make a token that acts for you.")
      .argument("<name>", "what it is for")
      .option(
        "--role <role>",
        "at most your own, which it is when not given",
        readEnum<Role>(RoleSchema),
      )
      .option("--lifetime <span>", "from 1m to 366d; 90d when not given", readSpan)
      .action(async (displayName: string, options: { role?: Role; lifetime?: number }) => {
        const { role, lifetime } = options;
        const response = await client().createAccessToken({
          displayName,
          ...(role !== undefined && { role }),
          ...(lifetime !== undefined && { lifetime: durationFromMs(lifetime) }),
        });
        const { accessToken, secret } = response;
        cli.answer(CreateAccessTokenResponseSchema, response, () =>
          [
            `The token "${plain(displayName)}" was created, as ${enumWord(RoleSchema, accessToken?.role ?? 0)}: ${accessToken?.accessTokenId}`,
            `It ends ${deadlineText(accessToken?.expireTime, cli.now())}.`,
            secretText(cli.terminal, "LUMETRY_TOKEN", secret),
          ].join("\n"),
        );
      }),
    "lumetry tokens create deploy-script --role operator --lifetime 30d",
  );

  example(
    tokens
      .command("list")
      .description("List your tokens, newest first, ended ones included.")
      .option("--search <text>", "only those whose name holds it, or whose id it is")
      .action(async ({ search = "" }: { search?: string }) => {
        const asked = client();
        const found = await allPages(
          (page) => asked.listAccessTokens({ ...page, search }),
          (page) => page.accessTokens,
        );
        const response = create(ListAccessTokensResponseSchema, { accessTokens: found });
        cli.answer(ListAccessTokensResponseSchema, response, () => tokenTable(cli, found));
      }),
    "lumetry tokens list",
    "lumetry tokens list --search deploy",
  );

  example(
    tokens
      .command("revoke")
      .description("End one of your tokens.")
      .argument("<token>", "name or id")
      .action(async (meant: string) => {
        const asked = client();
        const accessTokenId = await resolveAccessToken(asked, meant);
        const response = await asked.revokeAccessToken({ accessTokenId });
        cli.answer(
          RevokeAccessTokenResponseSchema,
          response,
          () => `The token ${plain(meant)} has ended.`,
        );
      }),
    "lumetry tokens revoke deploy-script",
  );
}

function tokenTable(cli: Cli, tokens: AccessToken[]): string {
  if (tokens.length === 0) return 'You have no tokens. Make one with "lumetry tokens create".';
  const now = cli.now();
  return table(
    tokens,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ accessTokenId }) => accessTokenId, rank: 1 },
      { title: "ROLE", value: ({ role }) => enumWord(RoleSchema, role) },
      {
        title: "STATE",
        value: (token) => lifeText(token, now),
        style: (token) => (lifeText(token, now).startsWith("ends") ? "green" : "dim"),
      },
      { title: "CREATED", value: ({ createTime }) => ageOf(createTime, now), rank: 2 },
    ],
    cli.terminal,
  );
}
