import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { Command } from "commander";
import type { RuleSettings } from "../../../gen/lumetry/v1/rule_pb.js";
import {
  ApplyRulesResponse_Action as Action,
  ApplyRulesResponse_ActionSchema as ActionSchema,
  ApplyRulesResponseSchema,
  CreateRuleResponseSchema,
  DeleteRuleResponseSchema,
  GetRuleResponseSchema,
  ListRulesResponseSchema,
  PreviewRuleResponseSchema,
  RuleService,
  UpdateRuleResponseSchema,
} from "../../../gen/lumetry/v1/rule_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { usageError } from "../errors.ts";
import { allPages } from "../pages.ts";
import { resolveRule } from "../resolve.ts";
import { type RuleOptions, readRule, readRules, ruleOf, withRule } from "../rule-settings.ts";
import { previewText, ruleFacts, ruleTable } from "../rule-text.ts";
import { table } from "../table.ts";
import { plain } from "../terminal.ts";
import { readMoment } from "../times.ts";
import { enumWord, readSpan } from "../words.ts";

const DAY_MS = 86_400_000;

interface PreviewOptions {
  since?: number;
  from?: number;
  to?: number;
  file?: string;
}

interface EditOptions {
  name?: string;
  file?: string;
  enable?: boolean;
  disable?: boolean;
}

export function addRules(program: Command, cli: Cli): void {
  const rules = program.command("rules").description("What makes alerts of points.");
  const client = () => cli.signedIn().client(RuleService);
  const about = async (meant: string) => {
    const asked = client();
    return { asked, ruleId: await resolveRule(asked, meant) };
  };

  example(
    withRule(
      rules
        .command("create")
        .description("Add a rule on a metric.")
        .argument("[name]", "unique in the workspace")
        .argument("[metric]", "whose series are judged"),
    ).action(async (name: string | undefined, metric: string | undefined, options: RuleOptions) => {
      const settings = settingsOf(name, metric, options);
      const response = await client().createRule({ settings });
      cli.answer(
        CreateRuleResponseSchema,
        response,
        () =>
          `The rule "${plain(settings.displayName)}" was created: ${response.rule?.ruleId}\nSee what it would have done with: lumetry rules preview ${response.rule?.ruleId}`,
      );
    }),
    'lumetry rules create "disk full" system.filesystem.utilization --above 0.9 --for 5m --severity critical',
    'lumetry rules create "host is silent" system.uptime --absent 5m --by lumetry.agent_id',
    "lumetry rules create --file rule.json",
  );

  example(
    rules
      .command("list")
      .description("List rules, with how many of their alerts are open.")
      .option("--search <text>", "only those whose name holds it, or whose id it is")
      .action(async ({ search = "" }: { search?: string }) => {
        const asked = client();
        const found = await allPages(
          (page) => asked.listRules({ ...page, search }),
          (page) => page.rules,
        );
        const response = create(ListRulesResponseSchema, { rules: found });
        cli.answer(ListRulesResponseSchema, response, () => ruleTable(cli, found));
      }),
    "lumetry rules list",
    "lumetry rules list --search disk",
  );

  example(
    rules
      .command("show")
      .description("Show one rule; with --json as a file that can be applied.")
      .argument("<rule>", "name or id")
      .action(async (meant: string) => {
        const { asked, ruleId } = await about(meant);
        const response = await asked.getRule({ ruleId });
        cli.answer(GetRuleResponseSchema, response, () =>
          response.rule ? ruleFacts(cli, response.rule) : "",
        );
      }),
    'lumetry rules show "disk full"',
  );

  example(
    rules
      .command("edit")
      .description("Replace a rule by what a file says, rename it, or switch it on or off.")
      .argument("<rule>", "name or id")
      .option("--file <file>", "its settings, as JSON; - for standard input")
      .option("--name <name>", "its new name")
      .option("--disable", "judge nothing, and end its alerts")
      .option("--enable", "judge again")
      .action(async (meant: string, { file, name, enable, disable }: EditOptions) => {
        if (enable && disable) throw usageError("Use --enable or --disable, not both.");
        if ([file, name, enable, disable].every((one) => one === undefined)) {
          throw usageError("Nothing is to be changed.", "Say what, such as --disable or --file.");
        }
        const { asked, ruleId } = await about(meant);
        const { rule } = await asked.getRule({ ruleId });
        const settings = file === undefined ? rule?.settings : readRule(file);
        if (!settings) throw usageError("The rule has no settings.");
        if (name !== undefined) settings.displayName = name;
        if (enable || disable) settings.disabled = disable === true;
        const revision = rule?.revision ?? 0n;
        const response = await asked.updateRule({ ruleId, settings, revision });
        cli.answer(UpdateRuleResponseSchema, response, () =>
          response.rule ? ruleFacts(cli, response.rule) : "",
        );
      }),
    'lumetry rules edit "disk full" --disable',
    'lumetry rules edit "disk full" --file rule.json',
  );

  example(
    rules
      .command("apply")
      .description("Make the rules be as a file says: by name, all or none, as often as you like.")
      .requiredOption("-f, --file <file>", "JSON: one rule, or a list; - for standard input")
      .option("--delete-others", "delete every rule that is not in the file")
      .option("--dry-run", "only tell what would be done")
      .action(async (options: { file: string; deleteOthers?: boolean; dryRun?: boolean }) => {
        const { file, deleteOthers = false, dryRun = false } = options;
        const wanted = readRules(file);
        const response = await client().applyRules({ rules: wanted, deleteOthers, dryRun });
        cli.answer(ApplyRulesResponseSchema, response, () => {
          const changed = response.rules.filter(({ action }) => action !== Action.UNCHANGED);
          const done = table(
            response.rules,
            [
              {
                title: dryRun ? "WOULD BE" : "WAS",
                value: ({ action }) => enumWord(ActionSchema, action),
                style: ({ action }) => STYLES[action],
              },
              { title: "RULE", value: ({ displayName }) => displayName, least: 12 },
              { title: "ID", value: ({ ruleId }) => ruleId, rank: 1 },
            ],
            cli.terminal,
          );
          if (response.rules.length === 0) return "The file holds no rules; nothing was changed.";
          return changed.length > 0 ? done : `${done}\n\nAll of it is so already.`;
        });
      }),
    "lumetry rules apply -f rules.json",
    "lumetry rules apply -f rules.json --delete-others --dry-run",
  );

  const moment = (text: string) => readMoment(text, cli.now());
  example(
    withRule(
      rules
        .command("preview")
        .description("Tell what a rule would have done, before there is one or after.")
        .argument("[rule]", "its name or id; or say what it would be by --metric or --file")
        .option("--metric <metric>", "whose series would be judged")
        .option("--since <span>", "this far back from now; 1d when not given", readSpan)
        .option("--from <time>", "15:04, 2026-01-05, 2026-01-05T15:04:00Z or 2h", moment)
        .option("--to <time>", "likewise; now when not given", moment),
    ).action(
      async (
        meant: string | undefined,
        options: PreviewOptions & RuleOptions & { metric?: string },
      ) => {
        const asked = client();
        const settings = await previewed(asked, meant, options);
        const to = options.to ?? cli.now();
        const from = options.from ?? to - (options.since ?? DAY_MS);
        if (from >= to) throw usageError("The span ends before it begins.");
        const response = await asked.previewRule({
          settings,
          startTime: timestampFromMs(from),
          endTime: timestampFromMs(to),
        });
        cli.answer(PreviewRuleResponseSchema, response, () =>
          previewText(cli, settings, response, { from, to }),
        );
      },
    ),
    "lumetry rules preview --metric system.cpu.load_average.1m --above 4 --for 5m --since 7d",
    'lumetry rules preview "disk full" --since 7d',
  );

  example(
    rules
      .command("delete")
      .description("Remove a rule and end its alerts.")
      .argument("<rule>", "name or id")
      .action(async (meant: string) => {
        const { asked, ruleId } = await about(meant);
        const response = await asked.deleteRule({ ruleId });
        cli.answer(
          DeleteRuleResponseSchema,
          response,
          () => `The rule ${plain(meant)} was deleted.`,
        );
      }),
    'lumetry rules delete "disk full"',
  );
}

const STYLES: Partial<Record<Action, "green" | "yellow" | "red">> = {
  [Action.CREATED]: "green",
  [Action.UPDATED]: "yellow",
  [Action.DELETED]: "red",
};

function settingsOf(
  name: string | undefined,
  metric: string | undefined,
  options: RuleOptions,
): RuleSettings {
  if (options.file !== undefined) {
    const settings = readRule(options.file);
    if (name !== undefined) settings.displayName = name;
    return settings;
  }
  if (name !== undefined && metric !== undefined) return ruleOf(name, metric, options);
  throw usageError("A rule needs a name and a metric.", "Or take all of it from --file.");
}

async function previewed(
  asked: Client<typeof RuleService>,
  meant: string | undefined,
  options: RuleOptions & { metric?: string },
): Promise<RuleSettings> {
  const { metric, file } = options;
  if ([meant, metric, file].filter((one) => one !== undefined).length !== 1) {
    throw usageError("It is not said which rule.", "Name one, or use --metric or --file.");
  }
  if (file !== undefined) return readRule(file);
  if (metric !== undefined) return ruleOf("preview", metric, options);
  const { rule } = await asked.getRule({ ruleId: await resolveRule(asked, meant ?? "") });
  if (!rule?.settings) throw usageError("The rule has no settings.");
  return rule.settings;
}
