import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import {
  ConfigurationService,
  GetConfigurationResponseSchema,
  ListConfigurationsResponseSchema,
  PublishConfigurationResponseSchema,
  RevertConfigurationResponseSchema,
  WithdrawConfigurationResponseSchema,
} from "../../../gen/lumetry/v1/configuration_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { configFacts, diffText, historyTable, unknownText } from "../config-text.ts";
import { usageError } from "../errors.ts";
import { allPages } from "../pages.ts";
import { resolveTarget } from "../resolve.ts";
import { plain } from "../terminal.ts";
import { readCount } from "../words.ts";

/** As a revision. */
const latest = 0n;
/** Before the first revision. */
const DEFAULTS = { title: "the defaults", document: "{}" };

export function addConfig(program: Command, cli: Cli): void {
  const config = program
    .command("config")
    .description("The versioned configuration of collectors, agents and enrollment profiles.");
  /** The service, and what is meant. */
  const about = async (meant: string) => {
    const connection = cli.signedIn();
    return {
      configs: connection.client(ConfigurationService),
      targetId: await resolveTarget(connection, meant),
    };
  };
  const named = (command: Command) =>
    command.argument("<target>", "a collector, agent or enrollment profile, by name or id");

  example(
    named(config.command("publish").description("Publish a document as the next revision."))
      .argument("[file]", 'the JSON document; "-" or nothing for standard input')
      .option("--dry-run", "check the document, and publish nothing")
      .option(
        "--expect-revision <number>",
        "publish only if this is still the latest revision; 0 for none yet",
        readCount(0),
      )
      .action(
        async (
          meant: string,
          file: string | undefined,
          options: { dryRun?: boolean; expectRevision?: number },
        ) => {
          const { dryRun, expectRevision } = options;
          const document = await readDocument(cli, file);
          const { configs, targetId } = await about(meant);
          const response = await configs.publishConfiguration({
            targetId,
            document,
            validateOnly: dryRun === true,
            ...(expectRevision !== undefined && { expectedRevision: BigInt(expectRevision) }),
          });
          cli.answer(PublishConfigurationResponseSchema, response, () =>
            [
              dryRun
                ? "The document is valid; nothing was published."
                : `Published as revision ${response.config?.revision}; ${fetcherText(meant, targetId)} at the next heartbeat.`,
              unknownText(response.unknownKeys, cli.terminal),
            ]
              .filter(Boolean)
              .join("\n"),
          );
        },
      ),
    "lumetry config publish edge-lyon-1 config.json",
    `echo '{"hostMetrics": {"intervalSeconds": 30}}' | lumetry config publish edge-lyon-1 --dry-run`,
  );

  example(
    named(config.command("show").description("Show a revision, and how it fared."))
      .option("--revision <number>", "the latest when not given", readCount(1))
      .option("--document", "print the document and nothing else")
      .action(async (meant: string, options: { revision?: number; document?: boolean }) => {
        const { configs, targetId } = await about(meant);
        const revision = BigInt(options.revision ?? latest);
        const response = await configs.getConfiguration({ targetId, revision });
        if (options.document && !cli.json) cli.print(response.config?.document ?? "");
        else {
          cli.answer(GetConfigurationResponseSchema, response, () =>
            response.config ? configFacts(response.config, cli.terminal, cli.now()) : "",
          );
        }
      }),
    "lumetry config show edge-lyon-1",
    "lumetry config show edge-lyon-1 --revision 3 --document > config.json",
  );

  example(
    named(config.command("history").description("List revisions, newest first."))
      .option("--limit <count>", "how many", readCount(1), 20)
      .action(async (meant: string, options: { limit: number }) => {
        const { configs, targetId } = await about(meant);
        const found = await allPages(
          (page) => configs.listConfigurations({ ...page, targetId }),
          (page) => page.configs,
          options.limit,
        );
        const response = create(ListConfigurationsResponseSchema, { configs: found });
        cli.answer(ListConfigurationsResponseSchema, response, () =>
          historyTable(found, plain(meant), cli.terminal, cli.now()),
        );
      }),
    "lumetry config history edge-lyon-1",
  );

  example(
    named(
      config
        .command("diff")
        .description("Show what changed between two revisions, or would change with a file."),
    )
      .argument("[from]", "a revision; the one before the other when not given", readCount(1))
      .argument("[to]", "a revision; the latest when not given", readCount(1))
      .option("--file <file>", 'a file in place of the second revision; "-" for standard input')
      .action(
        async (
          meant: string,
          from: number | undefined,
          to: number | undefined,
          options: { file?: string },
        ) => {
          if (cli.json)
            throw usageError("A diff has no JSON form.", "Use lumetry config show --json.");
          if (options.file !== undefined && to !== undefined) {
            throw usageError("Compare with a revision or with --file, not both.");
          }
          const { configs, targetId } = await about(meant);
          const read = (revision: bigint) => readRevision(configs, targetId, revision);
          if (options.file !== undefined) {
            const title = options.file === "-" ? "standard input" : options.file;
            const document = await readDocument(cli, options.file);
            const before = await read(BigInt(from ?? latest));
            cli.print(diffText(before, { title, document }, cli.terminal));
            return;
          }
          const after = await read(BigInt(to ?? latest));
          const earlier = from === undefined ? after.revision - 1n : BigInt(from);
          const before = earlier > 0n ? await read(earlier) : DEFAULTS;
          cli.print(diffText(before, after, cli.terminal));
        },
      ),
    "lumetry config diff edge-lyon-1",
    "lumetry config diff edge-lyon-1 3 5",
    "lumetry config diff edge-lyon-1 --file config.json",
  );

  example(
    named(
      config
        .command("revert")
        .description("Publish an earlier revision's document again, as a new revision."),
    )
      .argument("<revision>", "the revision to go back to", readCount(1))
      .action(async (meant: string, revision: number) => {
        const { configs, targetId } = await about(meant);
        const response = await configs.revertConfiguration({
          targetId,
          revision: BigInt(revision),
        });
        cli.answer(
          RevertConfigurationResponseSchema,
          response,
          () =>
            `Revision ${revision} was published again, as revision ${response.config?.revision}.`,
        );
      }),
    "lumetry config revert edge-lyon-1 3",
  );

  example(
    config
      .command("withdraw")
      .description("Take back what was published for one agent: its profile's applies again.")
      .argument("<agent>", "name or id")
      .action(async (meant: string) => {
        const { configs, targetId } = await about(meant);
        const response = await configs.withdrawConfiguration({ targetId });
        cli.answer(
          WithdrawConfigurationResponseSchema,
          response,
          () => `${plain(meant)} follows its enrollment profile again, from its next heartbeat on.`,
        );
      }),
    "lumetry config withdraw web-1",
  );
}

const fetcherText = (meant: string, targetId: string) =>
  targetId.startsWith("epr.")
    ? `the agents of ${plain(meant)} without a document of their own fetch it, each`
    : `${plain(meant)} fetches it`;

/** One side of a comparison; the defaults when nothing was ever published. */
async function readRevision(
  configs: Client<typeof ConfigurationService>,
  targetId: string,
  revision: bigint,
): Promise<{ revision: bigint; title: string; document: string }> {
  try {
    const { config } = await configs.getConfiguration({ targetId, revision });
    const { revision: number = 0n, document = "" } = config ?? {};
    return { revision: number, title: `revision ${number}`, document };
  } catch (error) {
    const isNone = error instanceof ConnectError && error.code === Code.NotFound;
    if (!isNone || revision !== latest) throw error;
    return { revision: 0n, ...DEFAULTS };
  }
}

async function readDocument(cli: Cli, file: string | undefined): Promise<string> {
  if (file !== undefined && file !== "-") {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      throw usageError(`The document cannot be read: ${(error as Error).message}.`);
    }
  }
  if (file === undefined && cli.prompt.interactive) {
    throw usageError("There is no document.", 'Name a file, or "-" to type it in.');
  }
  return cli.prompt.everything();
}
