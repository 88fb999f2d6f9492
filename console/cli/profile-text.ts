import {
  type EnrollmentProfile,
  EnrollmentProfile_StatusSchema,
  type InstallCommands,
  EnrollmentProfile_Status as Status,
} from "../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { labelsText } from "./labels.ts";
import { facts, table } from "./table.ts";
import { plain, plainLines, type Style, type Terminal, wrap } from "./terminal.ts";
import { ageOf, counted, countText, enumWord, momentText } from "./words.ts";

const STATUS_STYLES: Partial<Record<Status, Style>> = {
  [Status.ACTIVE]: "green",
  [Status.EXPIRED]: "dim",
  [Status.EXHAUSTED]: "yellow",
  [Status.DISABLED]: "dim",
};

const statusText = ({ status }: EnrollmentProfile) =>
  enumWord(EnrollmentProfile_StatusSchema, status);

/** "40 hosts", "3 more hosts (of 40)". */
export function usesText({ remainingUses, maxUses }: EnrollmentProfile): string {
  return remainingUses === maxUses
    ? counted(maxUses, "host")
    : `${counted(remainingUses, "more host")} (of ${countText(maxUses)})`;
}

const endText = ({ expireTime, expiresIn }: EnrollmentProfile, now: number) =>
  `${expiresIn ? "ends" : "ended"} ${ageOf(expireTime, now)}`;

export function profileTable(
  profiles: EnrollmentProfile[],
  terminal: Terminal,
  now: number,
): string {
  if (profiles.length === 0) {
    return 'There are no enrollment profiles. Make one with "lumetry profiles create".';
  }
  return table(
    profiles,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ profileId }) => profileId, rank: 1 },
      { title: "STATUS", value: statusText, style: ({ status }) => STATUS_STYLES[status] },
      {
        title: "LEFT",
        value: ({ remainingUses, maxUses }) => `${countText(remainingUses)}/${countText(maxUses)}`,
        align: "right",
      },
      { title: "DEADLINE", value: (profile) => endText(profile, now) },
      { title: "LABELS", value: ({ labels }) => labelsText(labels), least: 12, rank: 3 },
      { title: "CREATED", value: ({ createTime }) => ageOf(createTime, now), rank: 2 },
    ],
    terminal,
  );
}

export function profileFacts(profile: EnrollmentProfile, terminal: Terminal, now: number): string {
  const { status, configRevision } = profile;
  return facts(
    [
      ["name", terminal.paint(plain(profile.displayName), "bold")],
      ["id", profile.profileId],
      ["status", terminal.paint(statusText(profile), STATUS_STYLES[status] ?? "bold")],
      ["enrolls", usesText(profile)],
      ["deadline", momentText(profile.expireTime, now)],
      ["disabled", momentText(profile.disableTime, now)],
      ["zone", profile.zoneId],
      ["default cluster", profile.clusterId],
      ["labels", plain(labelsText(profile.labels))],
      ["config", configRevision > 0n ? `revision ${configRevision}` : "none"],
      ["created", momentText(profile.createTime, now)],
    ],
    terminal,
  );
}

/** Commands to be copied, each under where it is to be run. */
export function commandsText(commands: InstallCommands | undefined, terminal: Terminal): string {
  if (!commands) return "";
  const { linux, windows, program, relays, notes } = commands;
  const block = (title: string, text: string) => {
    const lines = plainLines(text).split("\n");
    // A document within a command ends where a line is its mark and nothing else.
    const indent = text.includes("<<") ? "" : "  ";
    return `${title}\n\n${lines.map((line) => `${indent}${terminal.paint(line, "bold")}`).join("\n")}`;
  };
  const via =
    relays.length > 0 ? `, through ${relays.map(({ url }) => plain(url)).join(", ")}` : "";
  return [
    linux && block(`On Linux${via}:`, linux),
    windows && block(`On Windows Server, in an elevated PowerShell${via}:`, windows),
    program && block(`Where Lumetry is installed already${via}:`, program),
    ...notes.map((note) => {
      const text = wrap(plain(note), terminal.columns, "  ");
      return `${terminal.paint("!", "yellow", "bold")}${text.slice(1)}`;
    }),
  ]
    .filter(Boolean)
    .join("\n\n");
}
