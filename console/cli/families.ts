import type { Command } from "commander";
import type { Cli } from "./cli.ts";

export type Add = (program: Command, cli: Cli) => void;

/** Commands that one module adds; it is loaded when one of them is typed, or all are told of. */
export interface Family {
  names: readonly string[];
  /** The heading of --help that they stand under. */
  group: string;
  load(): Promise<Add>;
  /** It tells of all commands, so all have to be there. */
  needsAll?: true;
}

/** Most of a command's time went into loading what other commands use. In the order of --help. */
export const FAMILIES: readonly Family[] = [
  {
    names: ["up", "server", "collector", "agent", "doctor"],
    group: "Run:",
    load: async () => (await import("./commands/processes.ts")).addProcesses,
  },
  {
    names: ["login"],
    group: "Sign in:",
    load: async () => (await import("./commands/login.ts")).addLogin,
  },
  {
    names: ["logout", "whoami", "password"],
    group: "Sign in:",
    load: async () => (await import("./commands/session.ts")).addSession,
  },
  {
    names: ["metrics"],
    group: "Watch:",
    load: async () => (await import("./commands/metrics.ts")).addMetrics,
  },
  {
    names: ["rules"],
    group: "Watch:",
    load: async () => (await import("./commands/rules.ts")).addRules,
  },
  {
    names: ["alerts"],
    group: "Watch:",
    load: async () => (await import("./commands/alerts.ts")).addAlerts,
  },
  {
    names: ["incidents"],
    group: "Watch:",
    load: async () => (await import("./commands/incidents.ts")).addIncidents,
  },
  {
    names: ["silences"],
    group: "Watch:",
    load: async () => (await import("./commands/silences.ts")).addSilences,
  },
  {
    names: ["system-alerts"],
    group: "Watch:",
    load: async () => (await import("./commands/system-alerts.ts")).addSystemAlerts,
  },
  {
    names: ["audit"],
    group: "Watch:",
    load: async () => (await import("./commands/audit.ts")).addAudit,
  },
  {
    names: ["collectors"],
    group: "Collectors and hosts:",
    load: async () => (await import("./commands/collectors.ts")).addCollectors,
  },
  {
    names: ["agents"],
    group: "Collectors and hosts:",
    load: async () => (await import("./commands/agents.ts")).addAgents,
  },
  {
    names: ["profiles"],
    group: "Collectors and hosts:",
    load: async () => (await import("./commands/profiles.ts")).addProfiles,
  },
  {
    names: ["config"],
    group: "Collectors and hosts:",
    load: async () => (await import("./commands/config.ts")).addConfig,
  },
  {
    names: ["zones"],
    group: "Collectors and hosts:",
    load: async () => (await import("./commands/zones.ts")).addZones,
  },
  {
    names: ["clusters", "groups", "sites"],
    group: "Collectors and hosts:",
    load: async () => (await import("./commands/topology.ts")).addTopology,
  },
  {
    names: ["sources"],
    group: "Sources and messages:",
    load: async () => (await import("./commands/sources.ts")).addSources,
  },
  {
    names: ["channels"],
    group: "Sources and messages:",
    load: async () => (await import("./commands/channels.ts")).addChannels,
  },
  {
    names: ["routes"],
    group: "Sources and messages:",
    load: async () => (await import("./commands/routes.ts")).addRoutes,
  },
  {
    names: ["work"],
    group: "Sources and messages:",
    load: async () => (await import("./commands/work.ts")).addWork,
  },
  {
    names: ["users"],
    group: "People and access:",
    load: async () => (await import("./commands/users.ts")).addUsers,
  },
  {
    names: ["tokens"],
    group: "People and access:",
    load: async () => (await import("./commands/tokens.ts")).addTokens,
  },
  {
    names: ["keys"],
    group: "People and access:",
    load: async () => (await import("./commands/keys.ts")).addKeys,
  },
  {
    names: ["workspaces"],
    group: "People and access:",
    load: async () => (await import("./commands/workspaces.ts")).addWorkspaces,
  },
  {
    names: ["completion"],
    group: "More:",
    load: async () => (await import("./commands/completion.ts")).addCompletion,
    needsAll: true,
  },
];
