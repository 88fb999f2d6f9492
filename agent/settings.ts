import { dataDirSetting, edgeSettings } from "../edge/settings.ts";
import { choice, type Definitions, list, type Settings, text, url } from "../lib/settings.ts";

/** SHA-256 of a public key as 64 hexadecimal digits, with or without "sha256:" before and colons within. */
function fingerprint(value: string): string {
  const digits = value
    .replace(/^sha256:/i, "")
    .replaceAll(":", "")
    .toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(digits)) {
    throw new Error(
      'is not a fingerprint; write "sha256:" and 64 hexadecimal digits, as "lumetry collectors show" tells them.',
    );
  }
  return digits;
}

const {
  server,
  allowCleartext,
  ca,
  proxy,
  enrollmentToken,
  enrollmentTokenFile,
  queueLimit,
  logLevel,
} = edgeSettings;

/** Everything that can be set on an agent; README lists it from here. */
export const agentSettings = {
  server: {
    ...server,
    description:
      "Lumetry's address, such as https://lumetry.example.com, for when no collector is set or none has a way there.",
  },
  collector: {
    description:
      "A collector to go through, such as https://collector.internal:4319; several in order of preference.",
    parse: list(url("https:", "http:")),
    default: "",
    isList: true,
  },
  collectorFingerprint: {
    description:
      "SHA-256 of a collector's public key; only who has one of these keys is then taken for a collector.",
    parse: list(fingerprint),
    default: "",
    isList: true,
  },
  direct: {
    description: "Whether to go to the server directly when no collector has a way there.",
    parse: choice("on", "off"),
    default: "on",
  },
  allowCleartext,
  ca,
  proxy,
  enrollmentToken: {
    ...enrollmentToken,
    description:
      "The token of an enrollment profile, needed at the first start; better kept in a file.",
  },
  enrollmentTokenFile: {
    ...enrollmentTokenFile,
    description: "A file that holds the token of an enrollment profile.",
  },
  cluster: {
    description:
      "Name of the cluster to put this host into when it enrolls, in upper or lower case.",
    parse: text,
  },
  clusterId: {
    description: 'Id of that cluster, such as "cls.anvmbwebwx", in place of its name.',
    parse: text,
  },
  dataDir: dataDirSetting("agent"),
  queueLimit,
  logLevel,
} as const satisfies Definitions;

export type AgentSettings = Settings<typeof agentSettings>;
