import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { Alert_StateSchema, Alert_State as State } from "../../../gen/lumetry/v1/alert_pb.js";
import {
  AlertService,
  GetAlertResponseSchema,
  ListAlertsResponseSchema,
} from "../../../gen/lumetry/v1/alert_service_pb.js";
import { RuleService } from "../../../gen/lumetry/v1/rule_service_pb.js";
import { type Severity, SeveritySchema } from "../../../gen/lumetry/v1/severity_pb.js";
import { alertFacts, alertTable } from "../alert-text.ts";
import { type Cli, example } from "../cli.ts";
import { readLabel } from "../labels.ts";
import { allPages } from "../pages.ts";
import { resolveRule } from "../resolve.ts";
import { enumWords, readCount, readEnums } from "../words.ts";

interface ListOptions {
  all?: boolean;
  state?: State[];
  severity?: Severity[];
  rule?: string;
  kind?: string;
  edge?: string;
  label?: Record<string, string>;
  unsuppressed?: boolean;
  limit: number;
}

export function addAlerts(program: Command, cli: Cli): void {
  const alerts = program.command("alerts").description("What is wrong, and was.");
  const client = () => cli.signedIn().client(AlertService);

  example(
    alerts
      .command("list")
      .description("List what is wrong now, those that began last first.")
      .option("--all", "what is over, too")
      .option(
        "--state <state>",
        `only ${enumWords(Alert_StateSchema).join(", ")}; with commas between for more`,
        readEnums<State>(Alert_StateSchema),
      )
      .option(
        "--severity <word>",
        `only ${enumWords(SeveritySchema).join(", ")}; with commas between for more`,
        readEnums<Severity>(SeveritySchema),
      )
      .option("--rule <rule>", "only this rule's, by its name or id")
      .option("--kind <kind>", "only system alerts of this kind")
      .option("--edge <id>", "only about this collector or agent")
      .option("-l, --label <label=value>", "only with this label; repeat for more", readLabel)
      .option("--unsuppressed", "leave out what another alert explains")
      .option("--limit <count>", "how many", readCount(1), 100)
      .action(async (options: ListOptions) => {
        const { all, rule, kind = "", edge = "", label = {}, severity = [], limit } = options;
        const connection = cli.signedIn();
        const ruleId =
          rule === undefined ? "" : await resolveRule(connection.client(RuleService), rule);
        const everything = [State.PENDING, State.FIRING, State.RESOLVED];
        const states = options.state ?? (all ? everything : []);
        const asked = client();
        const found = await allPages(
          (page) =>
            asked.listAlerts({
              ...page,
              states,
              severities: severity,
              ruleId,
              systemKind: kind,
              edgeId: edge,
              labels: label,
              unsuppressedOnly: options.unsuppressed === true,
            }),
          (page) => page.alerts,
          limit,
        );
        const response = create(ListAlertsResponseSchema, { alerts: found });
        const isFiltered =
          states.length + severity.length + Object.keys(label).length > 0 ||
          [ruleId, kind, edge].some((one) => one !== "");
        cli.answer(ListAlertsResponseSchema, response, () => alertTable(cli, found, isFiltered));
      }),
    "lumetry alerts list",
    "lumetry alerts list --all --severity critical",
  );

  example(
    alerts
      .command("show")
      .description("Show one alert, its history and the points that decided it.")
      .argument("<alert>", "its id")
      .action(async (alertId: string) => {
        const response = await client().getAlert({ alertId });
        cli.answer(GetAlertResponseSchema, response, () => alertFacts(cli, response));
      }),
    "lumetry alerts show alr.qwhfzukmcd",
  );
}
