import type { SourceSettings } from "../../../../gen/lumetry/source/v1/settings_pb.js";

export type KindName = NonNullable<SourceSettings["kind"]["case"]>;

/** What each kind of source is called, as the command line calls it, and what it is for. */
export const KINDS: Record<KindName, { title: string; about: string }> = {
  prometheusScrape: { title: "Prometheus", about: "Reads an exporter's metrics" },
  httpCheck: { title: "HTTP check", about: "Does an address answer as it should?" },
  jsonHttp: { title: "JSON over HTTP", about: "Makes metrics of a JSON document" },
  tcpCheck: { title: "TCP check", about: "Does a port take connections?" },
  dnsCheck: { title: "DNS check", about: "Does a name resolve as it should?" },
  tlsCertificate: { title: "TLS certificate", about: "For how long is a certificate good?" },
  postgresQuery: { title: "PostgreSQL", about: "Makes metrics of a query's rows" },
};

export const isKind = (name: string): name is KindName => Object.hasOwn(KINDS, name);

export const kindText = (settings: SourceSettings | undefined): string =>
  settings?.kind.case ? KINDS[settings.kind.case].title : "of a later version";

/** What is polled, in few words. */
export function targetText(settings: SourceSettings | undefined): string {
  const kind = settings?.kind;
  switch (kind?.case) {
    case "prometheusScrape":
    case "httpCheck":
    case "jsonHttp":
      return kind.value.http?.url ?? "";
    case "dnsCheck":
      return kind.value.name;
    case "tcpCheck":
    case "tlsCertificate":
    case "postgresQuery": {
      const { host = "", port = 0 } = kind.value.target ?? {};
      return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    }
    default:
      return "";
  }
}

/** "12 ms", "1.5 s", "60 s". */
export function msText(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${Number((ms / 1000).toFixed(1))} s`;
}
