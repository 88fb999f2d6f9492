import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type {
  HttpRequest,
  SourceSecrets,
  SourceSettings,
} from "../../gen/lumetry/source/v1/settings_pb.js";
import { SourceSecretsSchema } from "../../gen/lumetry/source/v1/settings_pb.js";
import type { Source_SecretSummarySchema } from "../../gen/lumetry/v1/source_service_pb.js";
import { EgressFailure } from "../../lib/egress/failure.ts";
import { hostAndPort, placeOf, readHost, readUrl } from "../../lib/egress/host.ts";

/** A mistake in the settings of a source, worded for whoever wrote them. */
export class SettingsMistake extends Error {
  override name = "SettingsMistake";
}

type Kind = NonNullable<SourceSettings["kind"]["case"]>;

/** How people call the kinds. */
export const KIND_NAMES: Record<Kind, string> = {
  prometheusScrape: "Prometheus scrape",
  httpCheck: "HTTP check",
  jsonHttp: "JSON over HTTP",
  tcpCheck: "TCP check",
  dnsCheck: "DNS check",
  tlsCertificate: "TLS certificate",
  postgresQuery: "PostgreSQL query",
};

/** Which secrets a kind can use. */
const USES: Record<Kind, readonly (keyof SourceSecrets)[]> = {
  prometheusScrape: ["bearerToken", "password", "headers"],
  httpCheck: ["bearerToken", "password", "headers"],
  jsonHttp: ["bearerToken", "password", "headers"],
  tcpCheck: [],
  dnsCheck: [],
  tlsCertificate: [],
  postgresQuery: ["password"],
};

const httpOf = ({ kind }: SourceSettings): HttpRequest | undefined => {
  switch (kind.case) {
    case "prometheusScrape":
    case "httpCheck":
    case "jsonHttp":
      return kind.value.http;
    default:
      return undefined;
  }
};

/**
 * Host and port that the settings lead to, in the one form in which they are compared; empty for a
 * name that is asked of whatever server resolves names there. Throws SettingsMistake.
 */
export function targetOf(settings: SourceSettings): string {
  const { kind } = settings;
  try {
    const http = httpOf(settings);
    if (http) {
      const url = readUrl(http.url);
      const { host, port } = placeOf(url);
      // What is sent over TLS must not go out in cleartext because of an edited URL.
      return `${url.protocol}//${hostAndPort(host, port)}`;
    }
    const place =
      kind.case === "dnsCheck"
        ? kind.value.server
        : (kind.value as { target?: { host: string; port: number } } | undefined)?.target;
    return place ? hostAndPort(readHost(place.host), place.port) : "";
  } catch (error) {
    if (error instanceof EgressFailure) throw new SettingsMistake(error.message);
    throw error;
  }
}

const has = (secrets: SourceSecrets, name: keyof SourceSecrets): boolean =>
  name === "headers" ? Object.keys(secrets.headers).length > 0 : secrets[name] !== "";

const NAMES: (keyof SourceSecrets)[] = ["bearerToken", "password", "headers"];

export const isEmpty = (secrets: SourceSecrets): boolean =>
  NAMES.every((name) => !has(secrets, name));

const WORDS: Partial<Record<keyof SourceSecrets, string>> = {
  bearerToken: "a bearer token",
  password: "a password",
  headers: "secret headers",
};

/** Checks what the contract's rules cannot say; throws SettingsMistake. */
export function checkSettings(settings: SourceSettings, secrets: SourceSecrets | undefined): void {
  const { kind } = settings;
  if (kind.case === undefined) {
    throw new SettingsMistake("the settings name no kind of source that this server knows");
  }
  targetOf(settings);
  const given = secrets ?? create(SourceSecretsSchema);
  for (const name of NAMES) {
    if (has(given, name) && !USES[kind.case].includes(name)) {
      throw new SettingsMistake(`a ${KIND_NAMES[kind.case]} has no use for ${WORDS[name]}`);
    }
  }
  const http = httpOf(settings);
  if (http) {
    if (has(given, "password") && http.username === "") {
      throw new SettingsMistake("the password goes with a username, which is not set");
    }
    if (has(given, "password") && has(given, "bearerToken")) {
      throw new SettingsMistake("give a password or a bearer token, not both");
    }
    const secretNames = new Set(Object.keys(given.headers).map((name) => name.toLowerCase()));
    const twice = Object.keys(http.headers).find((name) => secretNames.has(name.toLowerCase()));
    if (twice !== undefined) {
      throw new SettingsMistake(`the header ${twice} is given twice, once as a secret`);
    }
  }
  if (kind.case === "httpCheck") {
    const wrong = kind.value.expectedStatuses.find(({ first, last }) => last !== 0 && last < first);
    if (wrong) {
      throw new SettingsMistake(`the statuses ${wrong.first} to ${wrong.last} are none`);
    }
  }
}

/** Which secrets there are, without telling them. */
export function summarize(
  secrets: SourceSecrets,
  target: string,
): MessageInitShape<typeof Source_SecretSummarySchema> {
  return {
    bearerToken: has(secrets, "bearerToken"),
    password: has(secrets, "password"),
    headerNames: Object.keys(secrets.headers).sort(),
    boundTo: target,
  };
}

export const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;

/** Interval and timeout, checked together; throws SettingsMistake. */
export function checkTimes(
  intervalMs: number,
  timeoutMs: number | undefined,
): { intervalMs: number; timeoutMs: number } {
  if (intervalMs % 1000 !== 0) {
    throw new SettingsMistake("the interval is not a whole number of seconds");
  }
  const timeout = timeoutMs ?? Math.min(DEFAULT_TIMEOUT_MS, intervalMs);
  if (timeout > intervalMs) {
    throw new SettingsMistake(
      `the timeout of ${timeout / 1000} s is longer than the interval of ${intervalMs / 1000} s`,
    );
  }
  return { intervalMs, timeoutMs: timeout };
}
