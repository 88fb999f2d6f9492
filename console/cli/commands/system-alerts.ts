import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, InvalidArgumentError } from "commander";
import { type Severity, SeveritySchema } from "../../../gen/lumetry/v1/severity_pb.js";
import {
  ListSystemAlertKindsResponseSchema,
  ResetSystemAlertKindResponseSchema,
  type SystemAlertKind,
  SystemAlertKindSchema,
  SystemAlertService,
  UpdateSystemAlertKindResponseSchema,
  type WatchedKind,
} from "../../../gen/lumetry/v1/system_alert_service_pb.js";
import { definedOnly } from "../../../lib/defined.ts";
import { type Cli, example } from "../cli.ts";
import { usageError } from "../errors.ts";
import { lengthText, nowText, thresholdText } from "../system-alert-text.ts";
import { facts, table } from "../table.ts";
import { enumWord, enumWords, readEnum, readSpan, readSwitch } from "../words.ts";

type Threshold =
  | { case: "heartbeats" | "percent"; value: number }
  | { case: "span"; value: ReturnType<typeof durationFromMs> };

interface SetOptions {
  enabled?: boolean;
  severity?: Severity;
  threshold?: Threshold;
  holdDown?: number;
  recovery?: number;
}

export function addSystemAlerts(program: Command, cli: Cli): void {
  const systemAlerts = program
    .command("system-alerts")
    .description("What Lumetry watches by itself, without a rule.");
  const client = () => cli.signedIn().client(SystemAlertService);
  const readKind = readEnum<SystemAlertKind>(SystemAlertKindSchema);
  const kinds = enumWords(SystemAlertKindSchema).join(", ");

  example(
    systemAlerts
      .command("list")
      .description("List everything that is watched, and what there is of it now.")
      .action(async () => {
        const response = await client().listSystemAlertKinds({});
        cli.answer(ListSystemAlertKindsResponseSchema, response, () =>
          kindTable(cli, response.kinds),
        );
      }),
    "lumetry system-alerts list",
  );

  example(
    systemAlerts
      .command("show")
      .description("Show one kind: what it means, and how it is watched.")
      .argument("<kind>", kinds, readKind)
      .action(async (wanted: SystemAlertKind) => {
        const { kinds: all } = await client().listSystemAlertKinds({});
        const found = all.filter(({ kind }) => kind === wanted);
        const response = create(ListSystemAlertKindsResponseSchema, { kinds: found });
        cli.answer(ListSystemAlertKindsResponseSchema, response, () => show(cli, found[0]));
      }),
    "lumetry system-alerts show clock_skew",
  );

  example(
    systemAlerts
      .command("set")
      .description("Change how one kind is watched; what is not given stays.")
      .argument("<kind>", kinds, readKind)
      .option("--enabled <switch>", "whether it is watched: on or off", readSwitch)
      .option(
        "--severity <severity>",
        enumWords(SeveritySchema).join(", "),
        readEnum<Severity>(SeveritySchema),
      )
      .option(
        "--threshold <amount>",
        'from where on: "5" heartbeats, "30s" or "7d", "90%", as the kind has it',
        readThreshold,
      )
      .option("--hold-down <span>", "how long it has to be so before it fires", readSpan)
      .option("--recovery <span>", "how long all has to be well before it is over", readSpan)
      .action(async (kind: SystemAlertKind, options: SetOptions) => {
        const { enabled, severity, threshold, holdDown, recovery } = options;
        if (Object.keys(options).length === 0) {
          throw usageError(
            "Nothing is to be changed.",
            "Use --enabled, --severity, --threshold, --hold-down or --recovery.",
          );
        }
        const response = await client().updateSystemAlertKind({
          kind,
          ...definedOnly({ enabled, severity, threshold }),
          ...(holdDown !== undefined && { holdDown: durationFromMs(holdDown) }),
          ...(recovery !== undefined && { recovery: durationFromMs(recovery) }),
        });
        cli.answer(UpdateSystemAlertKindResponseSchema, response, () => show(cli, response.kind));
      }),
    "lumetry system-alerts set agent_missed_heartbeats --threshold 10 --severity info",
    "lumetry system-alerts set points_dropped --enabled off",
  );

  example(
    systemAlerts
      .command("reset")
      .description("Watch one kind as Lumetry comes with it.")
      .argument("<kind>", kinds, readKind)
      .action(async (kind: SystemAlertKind) => {
        const response = await client().resetSystemAlertKind({ kind });
        cli.answer(ResetSystemAlertKindResponseSchema, response, () => show(cli, response.kind));
      }),
    "lumetry system-alerts reset clock_skew",
  );
}

/** "5", "90%" or "30s": heartbeats, a share or a span. */
function readThreshold(text: string): Threshold {
  const count = /^\d{1,6}$/.exec(text);
  if (count) return { case: "heartbeats", value: Number(text) };
  const share = /^(\d{1,3})%$/.exec(text);
  if (share) return { case: "percent", value: Number(share[1]) };
  try {
    return { case: "span", value: durationFromMs(readSpan(text)) };
  } catch {
    throw new InvalidArgumentError('Write a number of heartbeats, a span as "30s", or "90%".');
  }
}

const kindText = ({ kind }: WatchedKind) => enumWord(SystemAlertKindSchema, kind);

const severityText = ({ settings }: WatchedKind) =>
  settings?.enabled ? enumWord(SeveritySchema, settings.severity) : "off";

function kindTable(cli: Cli, kinds: WatchedKind[]): string {
  return table(
    kinds,
    [
      { title: "KIND", value: kindText },
      {
        title: "NOW",
        value: nowText,
        style: ({ firing }) => (firing > 0n ? "red" : "dim"),
        least: 8,
      },
      { title: "SEVERITY", value: severityText },
      {
        title: "FROM",
        value: ({ settings }) => (settings ? thresholdText(settings) : ""),
        rank: 1,
      },
      { title: "HOLD-DOWN", value: ({ settings }) => lengthText(settings?.holdDown), rank: 2 },
      { title: "RECOVERY", value: ({ settings }) => lengthText(settings?.recovery), rank: 3 },
    ],
    cli.terminal,
  );
}

function show(cli: Cli, kind: WatchedKind | undefined): string {
  if (!kind?.settings || !kind.defaults) return "";
  const { settings, defaults } = kind;
  const besides = (own: string, usual: string) =>
    own === usual ? own : `${own} (usually ${usual})`;
  const lines = facts(
    [
      ["kind", kindText(kind)],
      ["now", nowText(kind)],
      ["watched", settings.enabled ? "yes" : "no"],
      [
        "severity",
        besides(
          enumWord(SeveritySchema, settings.severity),
          enumWord(SeveritySchema, defaults.severity),
        ),
      ],
      ["from", besides(thresholdText(settings), thresholdText(defaults)) || undefined],
      ["hold-down", besides(lengthText(settings.holdDown), lengthText(defaults.holdDown))],
      ["recovery", besides(lengthText(settings.recovery), lengthText(defaults.recovery))],
    ],
    cli.terminal,
  );
  return `${kind.title}. ${kind.description}\n\n${lines}`;
}
