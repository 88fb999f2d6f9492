import {
  boolean,
  choice,
  type Definitions,
  directory,
  duration,
  file,
  hostPort,
  integer,
  networks,
  type Settings,
  text,
  url,
} from "../lib/settings.ts";
import { readNetworks } from "./access/forwarded.ts";
import { mailAddress, smtpUrl } from "./channels/mail.ts";
import { isPublisherName } from "./packages/bootstrap.ts";

/** A name that installers can hold. */
function commonName(value: string): string {
  if (!isPublisherName(value)) {
    throw new Error(
      "is no name that installers can hold: it is empty, or holds quotes or letters that are not ASCII.",
    );
  }
  return value;
}

/** Everything that can be set on a server; README lists it from here. */
export const serverSettings = {
  listen: {
    description: "Address and port for every client.",
    parse: hostPort,
    default: "0.0.0.0:8443",
  },
  dataDir: {
    description: "Where the embedded database and locally made certificates are kept.",
    parse: directory,
    default: ".lumetry/server",
  },
  databaseUrl: {
    description: "A PostgreSQL of your own, in place of the embedded one.",
    parse: url("postgres:", "postgresql:"),
    isSecret: true,
  },
  databaseConnections: {
    description: "Most connections to the database.",
    parse: integer(4, 1000),
    default: "16",
  },
  encryptionKeyFile: {
    description:
      "Keys that stored secrets are encrypted under, a line of base64 each, the newest first; made in the data directory when not given.",
    parse: file,
  },
  replaceLostEncryptionKey: {
    description:
      "Give up what is encrypted under keys that this server does not have; secrets have to be given anew.",
    parse: boolean,
    default: "false",
  },
  egressAllow: {
    description:
      "Private networks that the server itself may send messages to, a mail server's included, as CIDR prefixes separated by commas.",
    parse: networks,
    default: "",
  },
  smtpUrl: {
    description:
      "The mail server that e-mail is handed to, such as smtps://user:password@mail.example.com:465, or smtp:// for STARTTLS; without it, channels of e-mail cannot be made.",
    parse: smtpUrl,
    isSecret: true,
  },
  smtpCaFile: {
    description: "An authority for the mail server's certificate, in PEM form.",
    parse: file,
  },
  mailFrom: {
    description: 'The sender of e-mail, such as "Lumetry <lumetry@example.com>".',
    parse: mailAddress,
  },
  tls: {
    description: "Serve over TLS, or in cleartext behind a proxy that ends TLS.",
    parse: choice("on", "off"),
    default: "on",
  },
  tlsCert: {
    description:
      "Certificate chain in PEM form, re-read when it changes; made locally when not given.",
    parse: file,
  },
  tlsKey: { description: "The certificate's private key in PEM form.", parse: file },
  tlsHostnames: {
    description: "More names for a locally made certificate, separated by commas.",
    parse: (value: string) => text(value).split(",").filter(Boolean),
    default: "",
  },
  publicUrl: {
    description:
      "Where hosts reach this deployment, as the commands that install agents and collectors say; made of the first name for the certificate, or the machine's, and the port when not given.",
    parse: url("https:", "http:"),
  },
  packagesDir: {
    description:
      "Packages and installers that this server hands to hosts, as npm run package makes them; checked by their checksums.",
    parse: directory,
  },
  packagesKey: {
    description: "Public key in PEM form that those packages have to be signed with.",
    parse: file,
  },
  packagesPublisher: {
    description:
      "Who has to have signed what of those packages runs on Windows: the common name of the certificate; whom the packages name when not given.",
    parse: commonName,
  },
  installerUrlLinux: {
    description:
      "Where hosts get the installer for Linux, a shell script, if not from this server's packages.",
    parse: url("https:", "http:"),
  },
  installerUrlWindows: {
    description:
      "Where hosts get the agent's installer for Windows, a PowerShell script, if not from this server's packages.",
    parse: url("https:", "http:"),
  },
  heartbeatInterval: {
    description: "How often collectors and agents report; they vary it by a fifth either way.",
    parse: duration(1_000, 3_600_000),
    default: "30s",
  },
  credentialMaxAge: {
    description: "After this, a collector or an agent is asked to rotate its credential.",
    parse: duration(60_000),
    default: "90d",
  },
  sessionLifetime: {
    description: "How long a person stays signed in.",
    parse: duration(60_000),
    default: "30d",
  },
  seriesLimit: {
    description: "Most series that a new workspace may have.",
    parse: integer(1, 1_000_000_000),
    default: "100000",
  },
  retention: {
    description: "How long points are kept.",
    parse: duration(86_400_000),
    default: "30d",
  },
  fiveMinuteRetention: {
    description: "How long what is left of points in steps of five minutes is kept.",
    parse: duration(86_400_000),
    default: "90d",
  },
  hourlyRetention: {
    description: "How long what is left of points in steps of an hour is kept.",
    parse: duration(86_400_000),
    default: "730d",
  },
  callsPerSecond: {
    description: "Calls that one credential may make a second, in the long run.",
    parse: integer(1, 1_000_000),
    default: "200",
  },
  anonymousCallsPerSecond: {
    description:
      "Calls without a credential (enrolling, signing in) that one address may make a second.",
    parse: integer(1, 1_000_000),
    default: "10",
  },
  maxConnections: {
    description: "Most open connections; more are refused.",
    parse: integer(1, 1_000_000),
    default: "10000",
  },
  maxConnectionsPerAddress: {
    description: "Most open connections from one address; a proxy in front is one address.",
    parse: integer(1, 1_000_000),
    default: "2000",
  },
  trustedProxies: {
    description:
      "Proxies in front, as networks separated by commas such as 10.0.0.0/8: what these say in X-Forwarded-For is believed, so that their clients are told apart in limits and in the audit log.",
    parse: (value: string) => {
      const networks = text(value)
        .split(",")
        .map((each) => each.trim())
        .filter(Boolean);
      readNetworks(networks);
      return networks;
    },
    default: "",
  },
  drainTimeout: {
    description: "How long a server that stops waits for running calls.",
    parse: duration(0, 3_600_000),
    default: "10s",
  },
  logLevel: {
    description: "How much to log on standard error.",
    parse: choice("debug", "info", "warn", "error", "silent"),
    default: "info",
  },
  readyFormat: {
    description: "How to say on standard output that the server is ready.",
    parse: choice("text", "json"),
    default: "text",
  },
  console: {
    description: "Serve the console, for browsers.",
    parse: boolean,
    default: "true",
  },
  reflection: {
    description: "Tell clients such as grpcurl what can be called.",
    parse: boolean,
    default: "true",
  },
} as const satisfies Definitions;

export type ServerSettings = Settings<typeof serverSettings>;
