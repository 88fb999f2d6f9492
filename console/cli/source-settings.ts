import { readFileSync } from "node:fs";
import {
  create,
  type DescMessage,
  fromJsonString,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import {
  type SourceSecrets,
  SourceSecretsSchema,
  type SourceSettings,
  SourceSettingsSchema,
} from "../../gen/lumetry/source/v1/settings_pb.js";
import { usageError } from "./errors.ts";

/** What says on the command line what a source is, and what it is read with. */
export interface SettingsOptions {
  prometheus?: string;
  http?: string;
  tcp?: HostPort;
  certificate?: HostPort;
  dns?: string;
  settings?: string;
  secrets?: string;
  bearerTokenFile?: string;
  passwordFile?: string;
}

interface HostPort {
  host: string;
  port: number;
}

/** Reads "host:port", for commander. */
function readHostPort(text: string): HostPort {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) throw new InvalidArgumentError("Write host:port.");
  return { host: match[1] ?? match[2] ?? "", port };
}

/** Adds the options that say what a source is. */
export function withSettings(command: Command): Command {
  return command
    .option("--prometheus <url>", "scrape a Prometheus or OpenMetrics endpoint")
    .option("--http <url>", "check that an address answers")
    .option("--tcp <host:port>", "check that a port takes connections", readHostPort)
    .option("--certificate <host:port>", "check the TLS certificate of a port", readHostPort)
    .option("--dns <name>", "check that a name resolves")
    .option("--settings <file>", 'any kind, as JSON of SourceSettings; "-" for standard input')
    .option("--secrets <file>", "secrets, as JSON of SourceSecrets")
    .option("--bearer-token-file <file>", "a file that holds the bearer token")
    .option("--password-file <file>", "a file that holds the password");
}

const read = (file: string): string => {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    const name = file === "-" ? "standard input" : file;
    throw usageError(`${name} cannot be read: ${(error as Error).message}`);
  }
};

function readMessage<Desc extends DescMessage>(
  schema: Desc,
  file: string,
  example: string,
): MessageShape<Desc> {
  try {
    return fromJsonString(schema, read(file));
  } catch (error) {
    const words = (error as Error).message.replace(/^cannot decode \S+ \S+ from JSON: /, "");
    throw usageError(
      `${file} does not say what it should: ${words}`,
      `It is JSON such as ${example}`,
    );
  }
}

const init = (kind: MessageInitShape<typeof SourceSettingsSchema>["kind"]) =>
  create(SourceSettingsSchema, kind === undefined ? {} : { kind });

/** The settings that are meant; undefined when none are given. */
export function settingsOf(options: SettingsOptions): SourceSettings | undefined {
  const given = (["prometheus", "http", "tcp", "certificate", "dns", "settings"] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (given.length > 1) {
    throw usageError(`--${given.join(" and --")} say different things. Use one of them.`);
  }
  const { prometheus, http, tcp, certificate, dns, settings } = options;
  if (prometheus !== undefined) {
    return init({ case: "prometheusScrape", value: { http: { url: prometheus } } });
  }
  if (http !== undefined) return init({ case: "httpCheck", value: { http: { url: http } } });
  if (tcp) return init({ case: "tcpCheck", value: { target: tcp } });
  if (certificate) return init({ case: "tlsCertificate", value: { target: certificate } });
  if (dns !== undefined) return init({ case: "dnsCheck", value: { name: dns } });
  return settings === undefined
    ? undefined
    : readMessage(
        SourceSettingsSchema,
        settings,
        '{"tcpCheck": {"target": {"host": "db", "port": 5432}}}',
      );
}

/** As above; throws when none are given. */
export function requireSettings(options: SettingsOptions): SourceSettings {
  const settings = settingsOf(options);
  if (settings) return settings;
  throw usageError(
    "It is not said what the source is.",
    "Use --prometheus, --http, --tcp, --certificate, --dns, or --settings for any kind.",
  );
}

/** The secrets that are given; undefined for none. */
export function secretsOf(options: SettingsOptions): SourceSecrets | undefined {
  const { secrets: file, bearerTokenFile, passwordFile } = options;
  if (file === undefined && bearerTokenFile === undefined && passwordFile === undefined) {
    return undefined;
  }
  const secrets =
    file === undefined
      ? create(SourceSecretsSchema)
      : readMessage(SourceSecretsSchema, file, '{"password": "…"}');
  if (bearerTokenFile !== undefined) secrets.bearerToken = read(bearerTokenFile).trim();
  if (passwordFile !== undefined) secrets.password = read(passwordFile).replace(/\r?\n$/, "");
  return secrets;
}
