import type { ComponentType } from "react";
import { Role } from "../../../gen/lumetry/access/v1/access_pb.js";
import { late } from "./frame/late.tsx";
import type { IconName } from "./ui/icon.tsx";

export interface PageEntry {
  path: string;
  /** In the navigation and the palette, for those whose role suffices; without it, it is reached from others. */
  nav?: { title: string; icon: IconName; group: Group; role: Role; words?: string };
  load: () => Promise<unknown>;
  Component: ComponentType;
}

export const GROUPS = ["Fleet", "Alerting", "Data", "Administration"] as const;
export type Group = (typeof GROUPS)[number];

function page(
  path: string,
  load: () => Promise<{ default: ComponentType }>,
  nav?: PageEntry["nav"],
): PageEntry {
  return { path, ...late(async () => (await load()).default), ...(nav && { nav }) };
}

/** The one table of pages: a folder each. */
export const PAGES: PageEntry[] = [
  page("/", () => import("./pages/overview/page.tsx"), {
    title: "Overview",
    icon: "overview",
    group: "Fleet",
    role: Role.VIEWER,
    words: "home health fleet ingest",
  }),
  page("/collectors", () => import("./pages/collectors/page.tsx"), {
    title: "Collectors",
    icon: "collector",
    group: "Fleet",
    role: Role.VIEWER,
    words: "hosts register enroll queue heartbeat",
  }),
  page("/collectors/:id", () => import("./pages/collector/page.tsx")),
  page("/agents", () => import("./pages/agents/page.tsx"), {
    title: "Agents",
    icon: "agent",
    group: "Fleet",
    role: Role.VIEWER,
    words: "hosts install enroll profile",
  }),
  page("/agents/install", () => import("./pages/install/page.tsx")),
  page("/agents/:id", () => import("./pages/agent/page.tsx")),
  page("/sources", () => import("./pages/sources/page.tsx"), {
    title: "Sources",
    icon: "source",
    group: "Fleet",
    role: Role.VIEWER,
    words: "poll check prometheus http tcp dns certificate postgres json exporter scrape",
  }),
  page("/sources/new", () => import("./pages/source-form/page.tsx")),
  page("/sources/:id/edit", () => import("./pages/source-form/page.tsx")),
  page("/sources/:id", () => import("./pages/source/page.tsx")),
  page("/work", () => import("./pages/work/page.tsx"), {
    title: "Work",
    icon: "work",
    group: "Fleet",
    role: Role.VIEWER,
    words: "leases claims polls assignments",
  }),
  page("/topology", () => import("./pages/topology/page.tsx"), {
    title: "Topology",
    icon: "topology",
    group: "Fleet",
    role: Role.VIEWER,
    words: "clusters sites groups place",
  }),
  page("/zones", () => import("./pages/zones/page.tsx"), {
    title: "Zones",
    icon: "zone",
    group: "Fleet",
    role: Role.VIEWER,
    words: "networks",
  }),
  page("/incidents", () => import("./pages/incidents/page.tsx"), {
    title: "Incidents",
    icon: "incident",
    group: "Alerting",
    role: Role.VIEWER,
    words: "problems acknowledge on call",
  }),
  page("/incidents/:id", () => import("./pages/incident/page.tsx")),
  page("/alerts", () => import("./pages/alerts/page.tsx"), {
    title: "Alerts",
    icon: "alert",
    group: "Alerting",
    role: Role.VIEWER,
    words: "firing pending",
  }),
  page("/rules", () => import("./pages/rules/page.tsx"), {
    title: "Rules",
    icon: "rule",
    group: "Alerting",
    role: Role.VIEWER,
    words: "thresholds absence conditions",
  }),
  page("/rules/new", () => import("./pages/rule-form/page.tsx")),
  page("/rules/:id/edit", () => import("./pages/rule-form/page.tsx")),
  page("/rules/:id", () => import("./pages/rule/page.tsx")),
  page("/system-alerts", () => import("./pages/system-alerts/page.tsx"), {
    title: "System alerts",
    icon: "watch",
    group: "Alerting",
    role: Role.VIEWER,
    words: "watched heartbeats offline clock skew queue certificate expiring thresholds hold-down",
  }),
  page("/silences", () => import("./pages/silences/page.tsx"), {
    title: "Silences",
    icon: "silence",
    group: "Alerting",
    role: Role.VIEWER,
    words: "mute maintenance",
  }),
  page("/routes", () => import("./pages/routes/page.tsx"), {
    title: "Routes",
    icon: "route",
    group: "Alerting",
    role: Role.VIEWER,
    words: "notifications who is told",
  }),
  page("/explore", () => import("./pages/metrics/page.tsx"), {
    title: "Metrics",
    icon: "metrics",
    group: "Data",
    role: Role.VIEWER,
    words: "explore charts series query graph catalog",
  }),
  page("/channels", () => import("./pages/channels/page.tsx"), {
    title: "Channels",
    icon: "channel",
    group: "Alerting",
    role: Role.VIEWER,
    words: "webhooks notifications deliveries dead letters",
  }),
  page("/channels/:id", () => import("./pages/channel/page.tsx")),
  page("/ingestion-keys", () => import("./pages/ingestion-keys/page.tsx"), {
    title: "Ingestion keys",
    icon: "key",
    group: "Data",
    role: Role.OPERATOR,
    words: "write points",
  }),
  page("/people", () => import("./pages/people/page.tsx"), {
    title: "People",
    icon: "people",
    group: "Administration",
    role: Role.VIEWER,
    words: "users invite roles",
  }),
  page("/access-tokens", () => import("./pages/access-tokens/page.tsx"), {
    title: "Access tokens",
    icon: "token",
    group: "Administration",
    role: Role.VIEWER,
    words: "scripts cli personal",
  }),
  page("/audit", () => import("./pages/audit/page.tsx"), {
    title: "Audit log",
    icon: "audit",
    group: "Administration",
    role: Role.ADMIN,
    words: "history changes who",
  }),
  page("/settings", () => import("./pages/settings/page.tsx"), {
    title: "Settings",
    icon: "settings",
    group: "Administration",
    role: Role.VIEWER,
    words: "workspace password theme time zone",
  }),
  page("/api", () => import("./pages/api/page.tsx"), {
    title: "API",
    icon: "api",
    group: "Administration",
    role: Role.VIEWER,
    words: "curl rpc contract grpc connect json",
  }),
];

/** The entry of a path as the address bar has it: the first that fits, as the router takes it. */
export function pageAt(pathname: string): PageEntry | undefined {
  const given = pathname.replace(/(.)\/$/, "$1").split("/");
  return PAGES.find(({ path }) => {
    const parts = path.split("/");
    return (
      parts.length === given.length &&
      parts.every((part, at) => part.startsWith(":") || part === given[at])
    );
  });
}
