import type { SourceSettings } from "../../../gen/lumetry/source/v1/settings_pb.js";
import { PollFailed } from "../findings.ts";
import { pollDnsCheck } from "./dns-check.ts";
import { pollHttpCheck } from "./http-check.ts";
import { pollJsonHttp } from "./json-http.ts";
import type { PollContext } from "./kind.ts";
import { pollPostgresQuery } from "./postgres-query.ts";
import { pollPrometheusScrape } from "./prometheus-scrape.ts";
import { pollTcpCheck } from "./tcp-check.ts";
import { pollTlsCertificate } from "./tls-certificate.ts";

/** Reads a source of whatever kind. */
export function pollSource({ kind }: SourceSettings, context: PollContext): Promise<void> {
  switch (kind.case) {
    case "prometheusScrape":
      return pollPrometheusScrape(kind.value, context);
    case "httpCheck":
      return pollHttpCheck(kind.value, context);
    case "jsonHttp":
      return pollJsonHttp(kind.value, context);
    case "tcpCheck":
      return pollTcpCheck(kind.value, context);
    case "dnsCheck":
      return pollDnsCheck(kind.value, context);
    case "tlsCertificate":
      return pollTlsCertificate(kind.value, context);
    case "postgresQuery":
      return pollPostgresQuery(kind.value, context);
    default:
      throw new PollFailed("this collector is too old to know this kind of source: update it");
  }
}
