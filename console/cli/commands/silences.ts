import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  CreateSilenceResponseSchema,
  EndSilenceResponseSchema,
  GetSilenceResponseSchema,
  ListSilencesResponseSchema,
  SilenceService,
  UpdateSilenceResponseSchema,
} from "../../../gen/lumetry/v1/silence_service_pb.js";
import { definedOnly } from "../../../lib/defined.ts";
import { type Cli, example } from "../cli.ts";
import { type ConditionOptions, conditionsOf, withConditions } from "../conditions.ts";
import { usageError } from "../errors.ts";
import { allPages } from "../pages.ts";
import { silenceFacts, silenceTable } from "../silence-text.ts";
import { readMoment } from "../times.ts";
import { readSpan } from "../words.ts";

interface SpanOptions {
  for?: number;
  until?: string;
}

/** The end that is meant by --for or --until, in ms. */
function endOf({ for: span, until }: SpanOptions, startMs: number, now: number) {
  if (span !== undefined && until !== undefined)
    throw usageError("Use --for or --until, not both.");
  if (span !== undefined) return startMs + span;
  return until === undefined ? undefined : readMoment(until, now);
}

export function addSilences(program: Command, cli: Cli): void {
  const silences = program
    .command("silences")
    .description("Keep notifications back for a while; alerts and incidents go on.");
  const client = () => cli.signedIn().client(SilenceService);

  example(
    withConditions(
      silences.command("create").description("Keep notifications about some alerts back."),
    )
      .option("--for <span>", "how long, such as 2h", readSpan)
      .option("--until <time>", 'in place of --for, such as 18:00 or "2026-01-05 06:00"')
      .option("--from <time>", "when it begins; now when not given")
      .requiredOption("--reason <text>", "why, for the others")
      .action(
        async (options: ConditionOptions & SpanOptions & { from?: string; reason: string }) => {
          const now = cli.now();
          const startMs = options.from === undefined ? now : readMoment(options.from, now);
          const endMs = endOf(options, startMs, now);
          if (endMs === undefined) throw usageError("Say how long: --for 2h, or --until 18:00.");
          const conditions = await conditionsOf(cli, options);
          if (!conditions) {
            throw usageError(
              "Say what it is about.",
              "Use --match, --severity, --rule or --cluster.",
            );
          }
          const response = await client().createSilence({
            conditions,
            ...(options.from !== undefined && { startTime: timestampFromMs(startMs) }),
            endTime: timestampFromMs(endMs),
            reason: options.reason,
          });
          cli.answer(CreateSilenceResponseSchema, response, () =>
            response.silence ? silenceFacts(cli, response.silence) : "",
          );
        },
      ),
    'lumetry silences create --match host=db-1 --for 2h --reason "new disks"',
    'lumetry silences create --cluster Lyon --until "2026-01-05 06:00" --reason "power works"',
  );

  example(
    silences
      .command("list")
      .description("List silences that hold or are to come.")
      .option("--ended", "those that are over, too")
      .action(async ({ ended = false }: { ended?: boolean }) => {
        const asked = client();
        const found = await allPages(
          (page) => asked.listSilences({ ...page, includeEnded: ended }),
          (page) => page.silences,
        );
        const response = create(ListSilencesResponseSchema, { silences: found });
        cli.answer(ListSilencesResponseSchema, response, () => silenceTable(cli, found));
      }),
    "lumetry silences list",
  );

  example(
    silences
      .command("show")
      .description("Show one silence.")
      .argument("<silence>", "its id")
      .action(async (silenceId: string) => {
        const response = await client().getSilence({ silenceId });
        cli.answer(GetSilenceResponseSchema, response, () =>
          response.silence ? silenceFacts(cli, response.silence) : "",
        );
      }),
    "lumetry silences show sil.qwhfzukmcd",
  );

  example(
    silences
      .command("edit")
      .description("Change when a silence ends, or why it is there.")
      .argument("<silence>", "its id")
      .option("--for <span>", "how long from now, such as 2h", readSpan)
      .option("--until <time>", "in place of --for")
      .option("--reason <text>", "why, for the others")
      .action(async (silenceId: string, options: SpanOptions & { reason?: string }) => {
        const endMs = endOf(options, cli.now(), cli.now());
        const { reason } = options;
        if (endMs === undefined && reason === undefined) {
          throw usageError("Nothing is to be changed.", "Use --for, --until or --reason.");
        }
        const response = await client().updateSilence({
          silenceId,
          ...definedOnly({ reason }),
          ...(endMs !== undefined && { endTime: timestampFromMs(endMs) }),
        });
        cli.answer(UpdateSilenceResponseSchema, response, () =>
          response.silence ? silenceFacts(cli, response.silence) : "",
        );
      }),
    "lumetry silences edit sil.qwhfzukmcd --for 4h",
  );

  example(
    silences
      .command("end")
      .description("End a silence now: what still fires is told.")
      .argument("<silence>", "its id")
      .action(async (silenceId: string) => {
        const response = await client().endSilence({ silenceId });
        cli.answer(EndSilenceResponseSchema, response, () => `${silenceId} is over.`);
      }),
    "lumetry silences end sil.qwhfzukmcd",
  );
}
