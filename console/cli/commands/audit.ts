import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type AuditEvent,
  AuditService,
  ListAuditEventsResponseSchema,
} from "../../../gen/lumetry/v1/audit_service_pb.js";
import { type Cli, example } from "../cli.ts";
import { allPages } from "../pages.ts";
import { resolveTarget } from "../resolve.ts";
import { table } from "../table.ts";
import { ageOf, readCount } from "../words.ts";

export function addAudit(program: Command, cli: Cli): void {
  const audit = program.command("audit").description("Who changed what, when and from where.");
  example(
    audit
      .command("list")
      .description("List changes, newest first.")
      .option(
        "--target <id>",
        "only changes to this, by its id or the name of a collector, agent or profile",
      )
      .option("--limit <count>", "how many", readCount(1), 50)
      .action(async (options: { target?: string; limit: number }) => {
        const connection = cli.signedIn();
        const client = connection.client(AuditService);
        const targetId = await targetOf(options.target, (meant) =>
          resolveTarget(connection, meant),
        );
        const auditEvents = await allPages(
          (page) => client.listAuditEvents({ ...page, targetId }),
          (page) => page.auditEvents,
          options.limit,
        );
        const response = create(ListAuditEventsResponseSchema, { auditEvents });
        cli.answer(ListAuditEventsResponseSchema, response, () => eventTable(cli, auditEvents));
      }),
    "lumetry audit list --limit 20",
    "lumetry audit list --target edge-lyon-1",
  );
}

/** Any kind of thing can be named by its id; what is not an id is a name. */
async function targetOf(
  meant: string | undefined,
  resolve: (meant: string) => Promise<string>,
): Promise<string> {
  if (meant === undefined) return "";
  return /^[a-z]{3}\.[a-z]+$/.test(meant) ? meant : resolve(meant);
}

function eventTable(cli: Cli, events: AuditEvent[]): string {
  if (events.length === 0) return "Nothing was changed.";
  return table(
    events,
    [
      { title: "WHEN", value: ({ time }) => ageOf(time, cli.now()) },
      { title: "WHO", value: ({ actorName, actorKind }) => actorName || actorKind, least: 10 },
      { title: "WHAT", value: ({ action }) => action },
      { title: "TO WHAT", value: ({ targetName, targetId }) => targetName || targetId, least: 12 },
      { title: "FROM", value: ({ address }) => address, rank: 1 },
      {
        title: "MORE",
        value: ({ details }) => (details === "{}" ? "" : details),
        least: 16,
        rank: 2,
      },
    ],
    cli.terminal,
  );
}
