import { forPowerShell, forShell } from "./quoting.ts";

/** A collector's endpoint for agents. */
export interface Relay {
  collectorId: string;
  url: string;
  /** "sha256:" and hexadecimal digits; empty without TLS. */
  fingerprint: string;
}

/** Where commands put the authority that they pin. */
const AUTHORITY_FILE = "lumetry-ca.pem";

/** What installers install. */
export type Component = "agent" | "collector";

/** What all commands of a deployment share. */
export interface Deployment {
  publicUrl: string;
  installerUrlLinux: string | undefined;
  installerUrlWindows: string | undefined;
  /** An authority that hosts do not know yet, in PEM form, and have to trust for publicUrl; "" when they do. */
  authority: string;
}

export interface Installation extends Deployment {
  token: string;
  clusterId: string;
  relays: Relay[];
}

/** The commands in the forms that the documents show; "" where there is no installer. */
export function renderCommands(installation: Installation) {
  const { publicUrl, installerUrlWindows, token, clusterId } = installation;
  const authority = installation.authority.trim();
  const urls = installation.relays.map(({ url }) => url).join(",");
  const fingerprints = installation.relays
    .map(({ fingerprint }) => fingerprint)
    .filter(Boolean)
    .join(",");
  return {
    linux: linuxCommand(installation, "agent", token, [
      urls && `  --collector ${forShell(urls)}`,
      fingerprints && `  --collector-fingerprint ${forShell(fingerprints)}`,
      clusterId && `  --cluster_id=${forShell(clusterId)}`,
    ]),
    windows: installerUrlWindows
      ? [
          ...(authority
            ? [
                `$authority = Join-Path $env:TEMP "${AUTHORITY_FILE}"`,
                `@'\n${authority}\n'@ | Set-Content -Encoding Ascii $authority`,
              ]
            : []),
          '$installer = Join-Path $env:TEMP "install-lumetry-agent.ps1"',
          authority && isOwn(publicUrl, installerUrlWindows)
            ? // Windows' own curl can trust an authority for one download. Ours lists no revoked certificates.
              joinLines(" `", [
                "curl.exe -fsSL --ssl-no-revoke --cacert $authority",
                `  ${forPowerShell(installerUrlWindows)}`,
                "  -o $installer",
              ])
            : joinLines(" `", [
                "Invoke-WebRequest -UseBasicParsing",
                `  ${forPowerShell(installerUrlWindows)}`,
                "  -OutFile $installer",
              ]),
          joinLines(" `", [
            "powershell.exe -ExecutionPolicy Bypass -File $installer",
            `  -BackendUrl ${forPowerShell(publicUrl)}`,
            `  -EnrollmentToken ${forPowerShell(token)}`,
            authority && !isOwn(publicUrl, installerUrlWindows) && "  -CaFile $authority",
            urls && `  -CollectorUrl ${forPowerShell(urls)}`,
            fingerprints && `  -CollectorFingerprint ${forPowerShell(fingerprints)}`,
            clusterId && `  -ClusterId ${forPowerShell(clusterId)}`,
          ]),
        ].join("\n")
      : "",
    program:
      pinFor(authority) +
      joinLines(" \\", [
        "lumetry agent",
        `  --server ${forShell(publicUrl)}`,
        authority && `  --ca ${AUTHORITY_FILE}`,
        `  --enrollment-token ${forShell(token)}`,
        urls && `  --collector ${forShell(urls)}`,
        fingerprints && `  --collector-fingerprint ${forShell(fingerprints)}`,
        clusterId && `  --cluster-id ${forShell(clusterId)}`,
      ]),
  };
}

/** The command that installs a collector; only Linux has an installer for it. */
export const renderCollectorCommands = (deployment: Deployment, token: string) => ({
  linux: linuxCommand(deployment, "collector", token, []),
});

/** Fetches the installer and hands it what all components need, and what this one needs besides. */
function linuxCommand(
  deployment: Deployment,
  component: Component,
  token: string,
  more: (string | false)[],
): string {
  const { publicUrl, installerUrlLinux } = deployment;
  if (!installerUrlLinux) return "";
  const authority = deployment.authority.trim();
  const own = isOwn(publicUrl, installerUrlLinux);
  const lines = joinLines(" \\", [
    `curl -fsSL${authority && own ? ` --cacert ${AUTHORITY_FILE}` : ""}`,
    `  ${forShell(installerUrlLinux)} |\n  sudo bash -s --`,
    // An agent is what the installer takes it for.
    component !== "agent" && `  --component ${component}`,
    `  --backend ${forShell(publicUrl)}`,
    `  --enroll-token ${forShell(token)}`,
    authority && !own && `  --ca-file ${AUTHORITY_FILE}`,
    ...more,
  ]);
  return pinFor(authority) + lines;
}

/** An installer that this server itself hands out; it knows the authority, once it has arrived. */
const isOwn = (publicUrl: string, installerUrl: string) => installerUrl.startsWith(`${publicUrl}/`);

/** What puts an authority where a command of a shell finds it. */
const pinFor = (authority: string) =>
  authority && `cat > ${AUTHORITY_FILE} <<'PEM'\n${authority}\nPEM\n`;

const joinLines = (continued: string, lines: (string | false)[]) =>
  lines.filter(Boolean).join(`${continued}\n`);

/**
 * A relay's URL as it may stand in a command that somebody runs as root: what a collector has
 * reported is not to be trusted further than its scheme, host and port. Undefined for anything else.
 */
export function relayUrl(reported: string): string | undefined {
  if (!URL.canParse(reported)) return undefined;
  const { protocol, origin, hostname } = new URL(reported);
  const isName = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/.test(hostname);
  return (protocol === "https:" || protocol === "http:") && isName ? origin : undefined;
}
