import type { Route } from "../edge/routes.ts";
import { SettingsError } from "../lib/settings.ts";
import type { AgentSettings } from "./settings.ts";

type RouteSettings = Pick<
  AgentSettings,
  "server" | "collector" | "collectorFingerprint" | "direct"
>;

/** The collectors as they were given, then the server, if it may be called directly. */
export function routesOf(settings: RouteSettings): Route[] {
  const { server, collector, collectorFingerprint, direct } = settings;
  const open = collector.find((url) => url.startsWith("http:"));
  if (open !== undefined && collectorFingerprint.length > 0) {
    throw new SettingsError(
      `--collector-fingerprint cannot be checked without TLS: write ${open.replace(/^http:/, "https:")}, or leave the fingerprint out`,
    );
  }
  const routes: Route[] = [...new Set(collector)].map((url) => ({ kind: "collector", url }));
  if (server !== undefined && direct === "on") routes.push({ kind: "direct", url: server });
  if (routes.length > 0) return routes;
  throw new SettingsError(
    direct === "off"
      ? "there is no way to the server: with --direct off, name a collector with --collector, such as https://collector.internal:4319"
      : "--server (LUMETRY_SERVER) is missing; write for example https://lumetry.example.com, or name a collector with --collector",
  );
}
