import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  CreateIngestionKeyResponseSchema,
  type IngestionKey,
  IngestionKeyService,
  ListIngestionKeysResponseSchema,
  RevokeIngestionKeyResponseSchema,
} from "../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { lifeText, secretText } from "../credentials.ts";
import { labelsText, readLabel } from "../labels.ts";
import { allPages } from "../pages.ts";
import { resolveIngestionKey } from "../resolve.ts";
import { table } from "../table.ts";
import { plain } from "../terminal.ts";
import { ageOf, readSpan } from "../words.ts";

export function addKeys(program: Command, cli: Cli): void {
  const keys = program
    .command("keys")
    .description("Ingestion keys: clients write points with them and can do nothing else.");
  const client = () => cli.signedIn().client(IngestionKeyService);

  example(
    keys
      .command("create")
      .description("Make an ingestion key.")
      .argument("<name>", "what it is for")
      .option(
        "-l, --label <label=value>",
        "set on every series written with it; repeat for more",
        readLabel,
      )
      .option("--lifetime <span>", "at least 1m; it never ends when not given", readSpan)
      .action(
        async (
          displayName: string,
          options: { label?: Record<string, string>; lifetime?: number },
        ) => {
          const { label = {}, lifetime } = options;
          const response = await client().createIngestionKey({
            displayName,
            labels: label,
            ...(lifetime !== undefined && { lifetime: durationFromMs(lifetime) }),
          });
          const { ingestionKey, secret } = response;
          cli.answer(CreateIngestionKeyResponseSchema, response, () =>
            [
              `The ingestion key "${plain(displayName)}" was created: ${ingestionKey?.ingestionKeyId}`,
              'Clients send it as "authorization: Bearer …".',
              secretText(cli.terminal, "LUMETRY_INGESTION_KEY", secret),
            ].join("\n"),
          );
        },
      ),
    "lumetry keys create ci -l team=build -l site=lyon",
  );

  example(
    keys
      .command("list")
      .description("List ingestion keys, newest first, ended ones included.")
      .option("--search <text>", "only those whose name holds it, or whose id it is")
      .action(async ({ search = "" }: { search?: string }) => {
        const asked = client();
        const found = await allPages(
          (page) => asked.listIngestionKeys({ ...page, search }),
          (page) => page.ingestionKeys,
        );
        const response = create(ListIngestionKeysResponseSchema, { ingestionKeys: found });
        cli.answer(ListIngestionKeysResponseSchema, response, () => keyTable(cli, found));
      }),
    "lumetry keys list",
    "lumetry keys list --search ci",
  );

  example(
    keys
      .command("revoke")
      .description("End an ingestion key within a second.")
      .argument("<key>", "name or id")
      .action(async (meant: string) => {
        const asked = client();
        const ingestionKeyId = await resolveIngestionKey(asked, meant);
        const response = await asked.revokeIngestionKey({ ingestionKeyId });
        cli.answer(
          RevokeIngestionKeyResponseSchema,
          response,
          () => `The ingestion key ${plain(meant)} has ended.`,
        );
      }),
    "lumetry keys revoke ci",
  );
}

function keyTable(cli: Cli, keys: IngestionKey[]): string {
  if (keys.length === 0) {
    return 'There are no ingestion keys. Make one with "lumetry keys create".';
  }
  const now = cli.now();
  return table(
    keys,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ ingestionKeyId }) => ingestionKeyId, rank: 1 },
      {
        title: "STATE",
        value: (key) => lifeText(key, now),
        style: (key) => (/^(ends|never)/.test(lifeText(key, now)) ? "green" : "dim"),
      },
      { title: "LABELS", value: ({ labels }) => labelsText(labels), least: 12, rank: 3 },
      { title: "CREATED", value: ({ createTime }) => ageOf(createTime, now), rank: 2 },
    ],
    cli.terminal,
  );
}
