import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { CapabilitySchema } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  ListWorkersResponseSchema,
  ListWorkItemsResponseSchema,
  WorkItem_State as State,
  type Worker,
  type WorkItem,
  type WorkItem_Kind,
  WorkItem_KindSchema,
  WorkItem_StateSchema,
  WorkQueryService,
} from "../../../gen/lumetry/v1/work_query_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { ageText } from "../../../lib/age.ts";
import { type Cli, example } from "../cli.ts";
import { allPages } from "../pages.ts";
import { resolveZone } from "../resolve.ts";
import { lateText, msText } from "../source-text.ts";
import { table } from "../table.ts";
import { ageOf, countText, enumWord, readCount, readEnums } from "../words.ts";

export function addWork(program: Command, cli: Cli): void {
  const work = program.command("work").description("What collectors are to do, and who does it.");
  const zoneIdOf = async (zone: string | undefined) =>
    zone === undefined ? "" : resolveZone(cli.signedIn().client(ZoneService), zone);

  example(
    work
      .command("list")
      .description("List what is claimed, then what is due, then what is to come.")
      .option("--zone <zone>", "only this zone's")
      .option("--kind <work-kind>", "only poll, test or deliver", readEnums(WorkItem_KindSchema))
      .option(
        "--state <work-state>",
        "due and claimed when not given",
        readEnums(WorkItem_StateSchema),
      )
      .option("--limit <count>", "how many", readCount(1), 50)
      .action(
        async (options: {
          zone?: string;
          kind?: WorkItem_Kind[];
          state?: State[];
          limit: number;
        }) => {
          const { kind = [], state = [], limit } = options;
          const asked = cli.signedIn().client(WorkQueryService);
          const zoneId = await zoneIdOf(options.zone);
          const found = await allPages(
            (page) => asked.listWorkItems({ ...page, zoneId, kinds: kind, states: state }),
            (page) => page.workItems,
            limit,
          );
          const response = create(ListWorkItemsResponseSchema, { workItems: found });
          cli.answer(ListWorkItemsResponseSchema, response, () => workTable(cli, found));
        },
      ),
    "lumetry work list",
    "lumetry work list --zone Lyon --state claimed",
  );

  example(
    work
      .command("collectors")
      .description("List the collectors that ask for work.")
      .option("--zone <zone>", "only this zone's")
      .action(async (options: { zone?: string }) => {
        const asked = cli.signedIn().client(WorkQueryService);
        const response = await asked.listWorkers({ zoneId: await zoneIdOf(options.zone) });
        cli.answer(ListWorkersResponseSchema, response, () => workerTable(cli, response.workers));
      }),
    "lumetry work collectors",
  );
}

function whenText(cli: Cli, item: WorkItem): string {
  if (item.state === State.CLAIMED && item.leaseLeft) {
    return `lease ends in ${msText(durationMs(item.leaseLeft))}`;
  }
  return item.lateness ? lateText(durationMs(item.lateness)) : ageOf(item.dueTime, cli.now());
}

function workTable(cli: Cli, items: WorkItem[]): string {
  if (items.length === 0) return "There is nothing to do.";
  return table(
    items,
    [
      { title: "KIND", value: ({ kind }) => enumWord(WorkItem_KindSchema, kind) },
      {
        title: "ABOUT",
        value: (item) => item.subjectName || item.subjectId || "a draft",
        least: 12,
      },
      {
        title: "STATE",
        value: ({ state }) => enumWord(WorkItem_StateSchema, state),
        style: ({ state }) => (state === State.CLAIMED ? "green" : undefined),
      },
      { title: "WHEN", value: (item) => whenText(cli, item) },
      { title: "COLLECTOR", value: ({ collectorId }) => collectorId, rank: 1 },
      { title: "ZONE", value: ({ zoneId }) => zoneId || "the server", rank: 2 },
      { title: "ID", value: ({ workId }) => workId, rank: 3 },
    ],
    cli.terminal,
  );
}

function workerTable(cli: Cli, workers: Worker[]): string {
  if (workers.length === 0) {
    return 'No collector has asked for work yet. Grant one a capability with "lumetry collectors grant".';
  }
  return table(
    workers,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "COLLECTOR", value: ({ collectorId }) => collectorId },
      {
        title: "LIVE",
        value: ({ live }) => (live ? "yes" : "no"),
        style: ({ live }) => (live ? "green" : "red"),
      },
      {
        title: "ASKED",
        value: ({ lastSeenAge }) => (lastSeenAge ? ageText(durationMs(lastSeenAge)) : ""),
      },
      {
        title: "MAY",
        value: ({ capabilities }) =>
          capabilities.map((each) => enumWord(CapabilitySchema, each)).join(", ") || "nothing",
        least: 12,
        rank: 1,
      },
      {
        title: "SOURCES",
        value: ({ assignedSources }) => countText(assignedSources),
        align: "right",
      },
      { title: "CLAIMED", value: ({ claimedItems }) => countText(claimedItems), align: "right" },
      {
        title: "STALE",
        value: ({ staleReports }) => (staleReports > 0n ? countText(staleReports) : ""),
        align: "right",
        rank: 2,
      },
      { title: "ZONE", value: ({ zoneId }) => zoneId, rank: 3 },
    ],
    cli.terminal,
  );
}
