import {
  boolean,
  bytes,
  choice,
  type Definitions,
  directory,
  file,
  type Settings,
  text,
  url,
} from "../lib/settings.ts";
import type { EdgeKind } from "./identity.ts";
import { smallestLimitBytes } from "./queue/sizes.ts";

function proxyUrl(value: string): string {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed?.protocol !== "http:" || parsed.pathname !== "/" || parsed.search) {
    throw new Error('is no address of a proxy; write for example "http://proxy.internal:3128".');
  }
  try {
    decodeURIComponent(parsed.username + parsed.password);
  } catch {
    throw new Error(
      "has a % in its user name or password that stands for nothing; write % as %25.",
    );
  }
  return value;
}

/** What is set alike on collectors and agents. */
export const edgeSettings = {
  server: {
    description: "Lumetry's address, such as https://lumetry.example.com.",
    parse: url("https:", "http:"),
  },
  allowCleartext: {
    description:
      "Accept a server address that starts with http:, where anybody on the way can read.",
    parse: boolean,
    default: "false",
  },
  ca: { description: "A private certificate authority to trust, as a PEM file.", parse: file },
  proxy: {
    description:
      "An HTTP proxy on the way to the server, such as http://proxy.internal:3128; collectors are called without it.",
    parse: proxyUrl,
  },
  enrollmentToken: {
    description: "The enrollment token, needed at the first start; better kept in a file.",
    parse: text,
    isSecret: true,
  },
  enrollmentTokenFile: { description: "A file that holds the enrollment token.", parse: file },
  queueLimit: {
    description: "The largest size of the queue on disk; the oldest points give way.",
    parse: bytes(smallestLimitBytes),
    default: "500MB",
  },
  logLevel: {
    description: "How much to log on standard error.",
    parse: choice("debug", "info", "warn", "error", "silent"),
    default: "info",
  },
} as const satisfies Definitions;

export const dataDirSetting = <const Kind extends EdgeKind>(kind: Kind) =>
  ({
    description: "Where identity, queue, configuration and status are kept.",
    parse: directory,
    default: `.lumetry/${kind}`,
  }) as const;

export type CommonSettings = Settings<typeof edgeSettings> & { dataDir: string };
