import type { X509Certificate } from "node:crypto";
import { isIP, isIPv6 } from "node:net";
import os from "node:os";
import { domainToASCII } from "node:url";
import { SettingsError } from "../../lib/settings.ts";

/** One spelling for each name or address; undefined for what is neither. */
function canonical(name: string): string | undefined {
  if (isIPv6(name)) {
    const url = `http://[${name}]`;
    return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined;
  }
  return isIP(name) ? name : domainToASCII(name.replace(/\.$/, "")) || undefined;
}

/** What a locally made certificate is good for: this machine's names and those of the settings. */
export function wantedNames(extra: string[]): string[] {
  const own = ["localhost", os.hostname(), "127.0.0.1", "::1"].flatMap(
    (name) => canonical(name) ?? [],
  );
  const more = extra.map((name) => {
    const found = canonical(name.trim());
    if (found) return found;
    throw new SettingsError(
      `--tls-hostnames: ${JSON.stringify(name)} is neither a host name nor an address.`,
    );
  });
  return [...new Set([...own, ...more])];
}

/** The names and addresses that a certificate of ours was made for. */
export function certifiedNames(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? "").split(", ").flatMap((entry) => {
    const [, name = ""] = /^(?:DNS|IP Address):(.*)$/.exec(entry) ?? [];
    return canonical(name) ?? [];
  });
}
