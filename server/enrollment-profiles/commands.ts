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

export interface Installation {
  publicUrl: string;
  installerUrlLinux: string | undefined;
  installerUrlWindows: string | undefined;
  /** An authority that hosts do not know yet, in PEM form, and have to trust for publicUrl; "" when they do. */
  authority: string;
  token: string;
  clusterId: string;
  relays: Relay[];
}

/** The commands in the forms that the documents show; "" where there is no installer. */
export function renderCommands(installation: Installation) {
  const { publicUrl, installerUrlLinux, installerUrlWindows, token, clusterId } = installation;
  const authority = installation.authority.trim();
  /** An installer that this server itself hands out; it knows the authority, once it has arrived. */
  const isOwn = (installerUrl: string) => installerUrl.startsWith(`${publicUrl}/`);
  const pin = authority && `cat > ${AUTHORITY_FILE} <<'PEM'\n${authority}\nPEM\n`;
  const urls = installation.relays.map(({ url }) => url).join(",");
  const fingerprints = installation.relays
    .map(({ fingerprint }) => fingerprint)
    .filter(Boolean)
    .join(",");
  return {
    linux: installerUrlLinux
      ? pin +
        joinLines(" \\", [
          `curl -fsSL${authority && isOwn(installerUrlLinux) ? ` --cacert ${AUTHORITY_FILE}` : ""}`,
          `  ${forShell(installerUrlLinux)} |\n  sudo bash -s --`,
          `  --backend ${forShell(publicUrl)}`,
          `  --enroll-token ${forShell(token)}`,
          authority && !isOwn(installerUrlLinux) && `  --ca-file ${AUTHORITY_FILE}`,
          urls && `  --collector ${forShell(urls)}`,
          fingerprints && `  --collector-fingerprint ${forShell(fingerprints)}`,
          clusterId && `  --cluster_id=${forShell(clusterId)}`,
        ])
      : "",
    windows: installerUrlWindows
      ? [
          ...(authority
            ? [
                `$authority = Join-Path $env:TEMP "${AUTHORITY_FILE}"`,
                `@'\n${authority}\n'@ | Set-Content -Encoding Ascii $authority`,
              ]
            : []),
          '$installer = Join-Path $env:TEMP "install-lumetry-agent.ps1"',
          authority && isOwn(installerUrlWindows)
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
            authority && !isOwn(installerUrlWindows) && "  -CaFile $authority",
            urls && `  -CollectorUrl ${forPowerShell(urls)}`,
            fingerprints && `  -CollectorFingerprint ${forPowerShell(fingerprints)}`,
            clusterId && `  -ClusterId ${forPowerShell(clusterId)}`,
          ]),
        ].join("\n")
      : "",
    program:
      pin +
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
