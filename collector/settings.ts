import { smallestLimitBytes } from "../edge/queue/queue.ts";
import { dataDirSetting, edgeSettings } from "../edge/settings.ts";
import {
  boolean,
  bytes,
  type Definitions,
  file,
  hostPort,
  integer,
  type Settings,
  url,
} from "../lib/settings.ts";

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

/** Undefined when it is off. */
const listenOrOff = (value: string) => (value === "off" ? undefined : hostPort(value));

/** Everything that can be set on a collector; README lists it from here. */
export const collectorSettings = {
  server,
  allowCleartext,
  ca,
  proxy,
  enrollmentToken: {
    ...enrollmentToken,
    description: "The one-time token, needed at the first start; better kept in a file.",
  },
  enrollmentTokenFile: {
    ...enrollmentTokenFile,
    description: "A file that holds the one-time token.",
  },
  dataDir: dataDirSetting("collector"),
  queueLimit,
  relayListen: {
    description:
      "Address and port at which agents of the zone reach the server through this collector, or off.",
    parse: listenOrOff,
    default: "0.0.0.0:4319",
  },
  relayUrl: {
    description:
      "Where agents are told to come, if not to https://, this machine's name and that port.",
    parse: url("https:", "http:"),
  },
  relayCert: {
    description:
      "Certificate chain of the relay in PEM form, re-read when it changes; with a key of its own when not given.",
    parse: file,
  },
  relayKey: { description: "That certificate's private key in PEM form.", parse: file },
  relayMaxConnections: {
    description: "Most open connections of agents; more are refused.",
    parse: integer(1, 100_000),
    default: "4000",
  },
  relayMaxConnectionsPerAddress: {
    description: "Most open connections of agents from one address.",
    parse: integer(1, 100_000),
    default: "256",
  },
  pollSlots: {
    description: "How many sources are polled at once; slow ones take half of it at most.",
    parse: integer(2, 1_000),
    default: "128",
  },
  testSlots: {
    description:
      "How many tests of sources, for which somebody waits, run at once, beside the polls.",
    parse: integer(1, 100),
    default: "4",
  },
  deliverySlots: {
    description: "How many notifications are handed to receivers in this network at once.",
    parse: integer(1, 100),
    default: "8",
  },
  outageLimit: {
    description: "What the polls of an outage may take on disk; the oldest give way.",
    parse: bytes(smallestLimitBytes),
    default: "250MB",
  },
  workLoopback: {
    description: "Let polls, tests and deliveries connect to this machine itself.",
    parse: boolean,
    default: "false",
  },
  logLevel,
} as const satisfies Definitions;

export type CollectorSettings = Settings<typeof collectorSettings>;
