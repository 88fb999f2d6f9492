import { SystemAlertKind as Kind } from "../../gen/lumetry/v1/system_alert_service_pb.js";
import type { Severity } from "../alerts/table.ts";

/** How a kind is watched, in numbers. */
export interface KindSettings {
  enabled: boolean;
  severity: Severity;
  /** In the kind's form; 0 for kinds that have none. */
  threshold: number;
  holdDownMs: number;
  recoveryMs: number;
}

/** What a kind's threshold counts: heartbeats in a row, milliseconds, or percent. */
export type ThresholdForm = "heartbeats" | "span" | "percent";

export interface WatchedKind {
  title: string;
  description: string;
  /** Why an alert of the kind is over, in words for people. */
  recovered: string;
  form?: ThresholdForm;
  /** It is about something that is late or missing, which a gap in the watching looks like. */
  isSilence?: boolean;
  /** An alert of it explains why others are silent. */
  isCause?: boolean;
  defaults: KindSettings;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 86_400 * SECOND;

const settings = (
  severity: Severity,
  threshold: number,
  holdDownMs: number,
  recoveryMs: number,
): KindSettings => ({ enabled: true, severity, threshold, holdDownMs, recoveryMs });

/** Everything that is watched. */
export const KINDS: Record<Exclude<Kind, Kind.UNSPECIFIED>, WatchedKind> = {
  [Kind.COLLECTOR_MISSED_HEARTBEATS]: {
    title: "Collector offline",
    description:
      "A collector is not heard of. Alerts of agents and sources behind it are suppressed until it is back. It goes on collecting and uploads what it has later; look at its host and its network.",
    recovered: "It is heard of again.",
    form: "heartbeats",
    isSilence: true,
    isCause: true,
    defaults: settings("critical", 3, 30 * SECOND, 2 * MINUTE),
  },
  [Kind.AGENT_MISSED_HEARTBEATS]: {
    title: "Agent offline",
    description:
      "An agent is not heard of, and no collector on its way explains it. Look at its host.",
    recovered: "It is heard of again.",
    form: "heartbeats",
    isSilence: true,
    defaults: settings("warning", 3, 30 * SECOND, 2 * MINUTE),
  },
  [Kind.DUPLICATE_SUSPECTED]: {
    title: "Credential in use twice",
    description:
      "Two processes send heartbeats with one credential, as after a copy of a data directory. Stop one and dismiss the suspicion, or revoke the identity and enroll a replacement.",
    recovered: "The suspicion was dismissed, or one process alone was heard of for ten minutes.",
    defaults: settings("critical", 0, 0, 0),
  },
  [Kind.CLOCK_SKEW]: {
    title: "Clock skew",
    description:
      "The clock of a collector or an agent is off. Its points are stored at corrected times where that is known; set up time synchronization on its host.",
    recovered: "Its clock is right again.",
    form: "span",
    defaults: settings("warning", 30 * SECOND, MINUTE, 5 * MINUTE),
  },
  [Kind.QUEUE_FILLING]: {
    title: "Queue filling",
    description:
      "A queue will be full before the given time is over, and then the oldest points in it are dropped. Look at the connection to the server, or raise the queue's limit.",
    recovered: "Its queue is not about to be full any more.",
    form: "span",
    defaults: settings("warning", DAY, 5 * MINUTE, 10 * MINUTE),
  },
  [Kind.POINTS_DROPPED]: {
    title: "Points dropped",
    description:
      "Points were lost from a queue in the last 24 hours. The ledger of losses tells of which times and why.",
    recovered: "Nothing was lost for 24 hours.",
    defaults: settings("warning", 0, 0, 0),
  },
  [Kind.QUEUE_UNWRITABLE]: {
    title: "Queue unwritable",
    description:
      "A collector or an agent cannot write its queue, so that points may be lost. Look at its disk.",
    recovered: "It can write its queue again.",
    defaults: settings("critical", 0, MINUTE, 2 * MINUTE),
  },
  [Kind.CONFIG_REJECTED]: {
    title: "Configuration rejected",
    description:
      "A collector or an agent has rejected its latest configuration and runs on the one before. Publish a valid one.",
    recovered: "Its latest configuration was not rejected.",
    defaults: settings("warning", 0, 0, 0),
  },
  [Kind.RELAY_DOWN]: {
    title: "Relay down",
    description:
      "A collector's relay cannot listen, so that agents do not get through. Alerts of agents behind it are suppressed. Look at its log.",
    recovered: "Its relay listens again.",
    isCause: true,
    defaults: settings("warning", 0, MINUTE, 2 * MINUTE),
  },
  [Kind.TOKEN_EXPIRING]: {
    title: "Token expiring",
    description:
      "A token or an ingestion key has less than the given time left, and a fifth of its life; or a collector's enrollment token has expired before it was used. Replace it if it is still needed.",
    recovered: "It was used, replaced or revoked, or its time is over.",
    form: "span",
    defaults: settings("info", 7 * DAY, 0, 0),
  },
  [Kind.CERTIFICATE_EXPIRING]: {
    title: "Certificate expiring",
    description:
      "A certificate that a server serves TLS with has less than the given time left, and a fifth of its life. Once it has expired, no client connects any more. Renew it; servers re-read it by themselves.",
    recovered: "It is not in use any more.",
    form: "span",
    defaults: settings("critical", 14 * DAY, 0, 0),
  },
  [Kind.SOURCE_STARVING]: {
    title: "Source not polled",
    description:
      "A source is assigned to nobody, or whoever should poll it is late. Look at the collectors of its zone, and at what they may do.",
    recovered: "It is polled in time again.",
    isSilence: true,
    defaults: settings("warning", 0, 2 * MINUTE, 2 * MINUTE),
  },
  [Kind.LOG_READER_BEHIND]: {
    title: "Processing behind",
    description:
      "Points that have arrived wait for what stores or evaluates them. None are lost; charts and rules are late. Look at the load of the servers and of the database.",
    recovered: "What has arrived is read in time again.",
    form: "span",
    isSilence: true,
    defaults: settings("warning", 2 * MINUTE, MINUTE, 2 * MINUTE),
  },
  [Kind.SERIES_LIMIT_NEAR]: {
    title: "Series limit near",
    description:
      "The workspace has almost as many series as it may; then new ones are refused. Look for labels with too many values, or have the limit raised.",
    recovered: "There is room for more series again.",
    form: "percent",
    defaults: settings("warning", 90, 0, 10 * MINUTE),
  },
  [Kind.ENCRYPTION_KEY_MISSING]: {
    title: "Encryption key missing",
    description:
      "Secrets of sources or channels are encrypted under a key that a server does not have, so that it cannot use them. Add the key to the key file, or give the secrets anew.",
    recovered: "All servers have the key, or nothing is encrypted under it any more.",
    defaults: settings("critical", 0, MINUTE, 2 * MINUTE),
  },
};

export type WatchableKind = keyof typeof KINDS;

export const ALL_KINDS = Object.keys(KINDS).map(Number) as WatchableKind[];

/** What explains that others are silent. */
export const CAUSES = ALL_KINDS.filter((kind) => KINDS[kind].isCause);

/** The database's name of a kind: "clock_skew". */
export const kindName = (kind: WatchableKind): string => Kind[kind].toLowerCase();

const BY_NAME = new Map(ALL_KINDS.map((kind) => [kindName(kind), kind]));

/** Undefined for a kind of another release. */
export const kindOfName = (name: string): WatchableKind | undefined => BY_NAME.get(name);
