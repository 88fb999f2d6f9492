import type { Parts } from "../routes.ts";
import type { Component, Deployment } from "./commands.ts";

type System = "linux" | "windows";
const SYSTEM_NAMES: Record<System, string> = { linux: "Linux", windows: "Windows" };

const WHOSE: Record<Component, string> = { agent: "", collector: " for collectors" };

/** What commands have to know of this deployment at present, and what people have to know of them. */
export function describeDeployment(
  { settings, publicUrl, authority, packages }: Parts,
  component: Component,
) {
  const handedOut = (system: System) => {
    if (component === "collector" && !packages?.hasCollector()) return undefined;
    const path = packages?.installerPath(system);
    return path && publicUrl() + path;
  };
  return {
    read: (): Deployment => ({
      publicUrl: publicUrl(),
      installerUrlLinux: settings.installerUrlLinux ?? handedOut("linux"),
      installerUrlWindows: settings.installerUrlWindows ?? handedOut("windows"),
      authority: authority(),
    }),

    /** Which of the systems that are asked for have no installer here. */
    missing(deployment: Deployment, systems: System[]): string[] {
      const places = {
        linux: deployment.installerUrlLinux,
        windows: deployment.installerUrlWindows,
      };
      return systems
        .filter((system) => !places[system])
        .map(
          (system) =>
            `This deployment has no ${SYSTEM_NAMES[system]} installer${WHOSE[component]}: set --packages-dir or --installer-url-${system} on the server.`,
        );
    },

    /** How hosts come to trust this server, where they do not by themselves. */
    trust(deployment: Deployment): string[] {
      if (deployment.authority) {
        return [
          "The server's certificate was made on its machine: the commands carry its authority, which hosts then trust for Lumetry alone.",
        ];
      }
      return settings.tls === "on" && !settings.tlsCert
        ? ["The server's certificate was made on its machine: hosts have to be told to trust it."]
        : [];
    },
  };
}
