import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { Command } from "commander";
import {
  Incident_StateSchema,
  Incident_State as State,
} from "../../../gen/lumetry/v1/incident_pb.js";
import {
  AcknowledgeIncidentResponseSchema,
  AssignIncidentResponseSchema,
  CommentIncidentResponseSchema,
  GetIncidentResponseSchema,
  IncidentService,
  ListIncidentsResponseSchema,
  ResolveIncidentResponseSchema,
} from "../../../gen/lumetry/v1/incident_service_pb.js";
import { SessionService } from "../../../gen/lumetry/v1/session_service_pb.js";
import { type Severity, SeveritySchema } from "../../../gen/lumetry/v1/severity_pb.js";
import {
  CreateSilenceResponseSchema,
  SilenceService,
} from "../../../gen/lumetry/v1/silence_service_pb.js";
import { UserService } from "../../../gen/lumetry/v1/user_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { CliError, usageError } from "../errors.ts";
import {
  incidentAlertTable,
  incidentFacts,
  incidentTable,
  timelineText,
} from "../incident-text.ts";
import { allPages } from "../pages.ts";
import { resolveUser } from "../resolve.ts";
import { silenceFacts } from "../silence-text.ts";
import { plain } from "../terminal.ts";
import { readCount, readEnums, readSpan } from "../words.ts";

interface ListOptions {
  state?: State[];
  severity?: Severity[];
  all?: boolean;
  mine?: boolean;
  assignee?: string;
  search?: string;
  since?: number;
  limit: number;
}

/** The id of an incident that is meant by its id or its number. */
async function resolveIncident(client: Client<typeof IncidentService>, meant: string) {
  const number = /^#?(\d{1,12})$/.exec(meant)?.[1];
  if (number === undefined) return meant;
  const { incidents } = await client.listIncidents({ number: BigInt(number), pageSize: 1 });
  const [incident] = incidents;
  if (incident && BigInt(number) > 0n) return incident.incidentId;
  throw new CliError(`There is no incident #${number}.`, {
    hint: 'List them with "lumetry incidents list --all".',
  });
}

export function addIncidents(program: Command, cli: Cli): void {
  const incidents = program
    .command("incidents")
    .description("What alerts that belong together are about, and who looks into it.");
  const client = () => cli.signedIn().client(IncidentService);
  const about = async (meant: string) => {
    const asked = client();
    return { asked, incidentId: await resolveIncident(asked, meant) };
  };
  const me = async () =>
    (await cli.signedIn().client(SessionService).getSession({})).user?.userId ?? "";
  const userOf = (meant: string) => resolveUser(cli.signedIn().client(UserService), meant);

  example(
    incidents
      .command("list")
      .description("List incidents that are not resolved, newest first.")
      .option(
        "--state <incident-state>",
        "only those; with commas between for more",
        readEnums<State>(Incident_StateSchema),
      )
      .option("--all", "resolved ones, too")
      .option(
        "--severity <severity>",
        "only those; with commas between for more",
        readEnums<Severity>(SeveritySchema),
      )
      .option("--mine", "only those that are yours")
      .option("--assignee <user>", "only this person's: name, e-mail address or id")
      .option("--search <text>", "only those whose title contains this")
      .option("--since <span>", "only those that were open in this time, such as 7d", readSpan)
      .option("--limit <count>", "how many", readCount(1), 50)
      .action(async (options: ListOptions) => {
        const { state, severity = [], all, mine, assignee, search = "", since, limit } = options;
        if (mine && assignee) throw usageError("Use --mine or --assignee, not both.");
        const asked = client();
        const open = all || since !== undefined ? [] : [State.OPEN, State.ACKNOWLEDGED];
        const filter = {
          states: state ?? open,
          severities: severity,
          assigneeId: mine ? await me() : assignee === undefined ? "" : await userOf(assignee),
          search,
          ...(since !== undefined && { since: timestampFromMs(cli.now() - since) }),
        };
        const found = await allPages(
          (page) => asked.listIncidents({ ...page, ...filter }),
          (page) => page.incidents,
          limit,
        );
        const response = create(ListIncidentsResponseSchema, { incidents: found });
        cli.answer(ListIncidentsResponseSchema, response, () => incidentTable(cli, found));
      }),
    "lumetry incidents list",
    "lumetry incidents list --all --since 7d --severity critical",
  );

  example(
    incidents
      .command("show")
      .description("Show one incident with its alerts and its timeline.")
      .argument("<incident>", "number or id")
      .action(async (meant: string) => {
        const { asked, incidentId } = await about(meant);
        const response = await asked.getIncident({ incidentId });
        cli.answer(GetIncidentResponseSchema, response, () => {
          const { incident, alerts, events } = response;
          if (!incident) return "";
          const parts = [incidentFacts(cli, incident)];
          if (alerts.length > 0) parts.push(incidentAlertTable(cli, alerts));
          return [...parts, timelineText(cli, events)].join("\n\n");
        });
      }),
    "lumetry incidents show 12",
  );

  example(
    incidents
      .command("acknowledge")
      .alias("ack")
      .description("Say that you look into it: its notifications are not repeated any more.")
      .argument("<incident>", "number or id")
      .argument("[comment]", "for the timeline")
      .action(async (meant: string, comment = "") => {
        const { asked, incidentId } = await about(meant);
        const response = await asked.acknowledgeIncident({ incidentId, comment });
        cli.answer(AcknowledgeIncidentResponseSchema, response, () =>
          response.incident ? incidentFacts(cli, response.incident) : "",
        );
      }),
    'lumetry incidents acknowledge 12 "on my way"',
  );

  example(
    incidents
      .command("assign")
      .description("Say whose it is; yours when nobody is named.")
      .argument("<incident>", "number or id")
      .argument("[user]", "name, e-mail address or id")
      .option("--nobody", "nobody's any more")
      .action(async (meant: string, user: string | undefined, options: { nobody?: boolean }) => {
        if (user && options.nobody) throw usageError("Name a person or use --nobody, not both.");
        const { asked, incidentId } = await about(meant);
        const userId = options.nobody ? "" : await (user === undefined ? me() : userOf(user));
        const response = await asked.assignIncident({ incidentId, userId });
        cli.answer(AssignIncidentResponseSchema, response, () =>
          response.incident ? incidentFacts(cli, response.incident) : "",
        );
      }),
    "lumetry incidents assign 12 ada@example.com",
  );

  example(
    incidents
      .command("comment")
      .description("Add a comment to the timeline.")
      .argument("<incident>", "number or id")
      .argument("<comment>", "what to say")
      .action(async (meant: string, comment: string) => {
        const { asked, incidentId } = await about(meant);
        const response = await asked.commentIncident({ incidentId, comment });
        cli.answer(CommentIncidentResponseSchema, response, () => "The comment was added.");
      }),
    'lumetry incidents comment 12 "a cable was loose"',
  );

  example(
    incidents
      .command("silence")
      .description("Keep notifications about one incident back for a while.")
      .argument("<incident>", "number or id")
      .requiredOption("--for <span>", "how long, such as 2h", readSpan)
      .requiredOption("--reason <text>", "why, for the others")
      .action(async (meant: string, options: { for: number; reason: string }) => {
        const { incidentId } = await about(meant);
        const response = await cli
          .signedIn()
          .client(SilenceService)
          .createSilence({
            incidentId,
            endTime: timestampFromMs(cli.now() + options.for),
            reason: options.reason,
          });
        cli.answer(CreateSilenceResponseSchema, response, () =>
          response.silence ? silenceFacts(cli, response.silence) : "",
        );
      }),
    'lumetry incidents silence 12 --for 2h --reason "disks are being changed"',
  );

  example(
    incidents
      .command("resolve")
      .description("Say that it is over, even if alerts still fire.")
      .argument("<incident>", "number or id")
      .argument("[comment]", "for the timeline")
      .action(async (meant: string, comment = "") => {
        const { asked, incidentId } = await about(meant);
        const response = await asked.resolveIncident({ incidentId, comment });
        cli.answer(ResolveIncidentResponseSchema, response, () =>
          response.incident ? incidentFacts(cli, response.incident) : plain(meant),
        );
      }),
    'lumetry incidents resolve 12 "the new disk is in"',
  );
}
