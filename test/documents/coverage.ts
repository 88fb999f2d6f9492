/** The later work that a sentence waits for. */
export type Later = "incidents" | "a real Windows";

/** A sentence of a product document, shortened to its idea, and what proves it. */
export interface Sentence {
  says: string;
  /** Titles of tests by file below test/; "…" stands where the source has a hole. */
  provedBy?: Record<string, string[]>;
  /** What is missing until all of it is true. */
  later?: Later;
}

const AGENT = "agent/agent.test.ts";
const AGENT_FAULTS = "faults/agent.test.ts";
const NO_PORT =
  "an agent enrolls by a profile, measures its host, is shown, and listens on no port";
const THROUGH_COLLECTOR =
  "without a way to the server of its own it enrolls, reports and uploads through a collector, whose key it pins";
const CONTRADICTIONS = "settings that contradict each other end it with 2 and say what to write";
const FINDS_ANOTHER_WAY =
  "while its collector, the server and the ways between fail, an agent finds another way and back, and stores every point once";
const HERE = "documents/collectors.test.ts";
const ENROLLMENT = "server/collectors/enrollment.test.ts";
const LIFECYCLE = "server/collectors/lifecycle.test.ts";
const DUPLICATES = "server/collectors/duplicates.test.ts";
const CONFIGURATION = "server/collectors/configuration.test.ts";
const MATRIX = "server/access/matrix.test.ts";
const CONTRACT = "server/access/contract.test.ts";
const REPEATS = "server/ingest/repeats.test.ts";
const QUEUE = "edge/queue/queue.test.ts";
const LIMIT = "edge/queue/limit.test.ts";
const CRASH = "edge/queue/crash.test.ts";
const OUTAGE = "edge/outage.test.ts";
const POLLING = "server/work/polling.test.ts";
const SOURCE_TEST = "server/work/source-test.test.ts";
const CLAIM_MODEL = "server/work/claim-model.test.ts";
const WEBHOOK = "server/channels/webhook.test.ts";
const POLL_LANE = "collector/work/poll-lane.test.ts";
const WORK = "collector/work/work.test.ts";
const EDGE_ENROLLMENT = "edge/enrollment.test.ts";
const EDGE_CREDENTIAL = "edge/credential.test.ts";

const RELAYED = "collector/relay/protocols.test.ts";
const RELAY_IDENTITY = "collector/relay/identity.test.ts";

const METRICS =
  "'collect basic Linux host CPU, memory-use, and one-minute load metrics', which 'enter the normal catalog'";
const LISTENS_NOWHERE =
  "'Collectors initiate all communication', so no 'inbound connection to the customer network' is needed: the process listens nowhere";
const CONFIG =
  "'validates it before applying it', 'acknowledges the revision as applied or rejected', 'keeps the last valid configuration', 'Unknown properties are ignored'";
const SAME_CONTRACT =
  "'uses the same metric contract as any other ingestion client', and 'the standard metric-ingestion API'";
const REPORTS =
  "'report liveness, version, queue depth, dropped-point count, and clock skew': a running collector's are shown";
const REPLACEMENT =
  "'Enroll a replacement rather than trying to reactivate a revoked identity': the same host may come again";
const DOWN_AT_START =
  "with the server down at its start it collects all the same, and what it has arrives later, oldest first";
const OUTLIVES =
  "it outlives cut connections, a silent network and a slow one, and says meanwhile that it is offline";
const NOBODY = "without an identity and without a token it ends with 78 and says what to do";
const PERSISTS =
  "once enrolled, the token's file is gone and not missed; the identity is readable by its owner alone";
const REVOKED =
  "revoked, it ends with 78 and clear words, and so does every new start; its status says so";
const OTHER_ZONE =
  "through a collector of another zone, or one that was revoked, an agent hears that the way is closed, and nothing of its identity";
const MACHINES =
  "only collectors and agents, and nobody without a credential, reach the machines' rpcs";
const MAY_CALL = "…: may call what the contract says, and nothing else";

/** Every sentence of the product document on collectors, in its order. */
export const collectors: Record<string, Sentence[]> = {
  Collectors: [
    {
      says: "runs close to the systems it observes and sends telemetry over outbound HTTPS",
      provedBy: { [HERE]: [METRICS, LISTENS_NOWHERE] },
    },
    {
      says: "useful when the monitored host must continue collecting during a network outage",
      provedBy: { [OUTAGE]: [DOWN_AT_START, OUTLIVES] },
    },
  ],
  "What a collector does": [
    {
      says: "collect basic Linux host CPU, memory-use, and one-minute load metrics",
      provedBy: {
        [HERE]: [METRICS],
        "edge/host-metrics/linux.test.ts": [
          "a host is sampled whole: each metric described, each series once, each value finite",
        ],
      },
    },
    {
      says: "buffer collected points locally when Lumetry cannot be reached",
      provedBy: {
        [OUTAGE]: [DOWN_AT_START, OUTLIVES],
        [QUEUE]: ["a queue goes on after a restart where it was"],
      },
    },
    {
      says: "upload buffered points through the standard metric-ingestion API",
      provedBy: { [OUTAGE]: [DOWN_AT_START], [HERE]: [SAME_CONTRACT] },
    },
    {
      says: "report liveness, version, queue depth, dropped-point count, and clock skew",
      provedBy: {
        [HERE]: [REPORTS],
        [LIFECYCLE]: [
          "a heartbeat shows liveness, version, queue depth, dropped points and clock skew",
        ],
      },
    },
    {
      says: "receive versioned collection configuration",
      provedBy: {
        [HERE]: [CONFIG],
        [CONFIGURATION]: [
          "a published document is offered as the next revision, as it was written",
        ],
      },
    },
    {
      says: "rotate its own credential when requested",
      provedBy: {
        [EDGE_CREDENTIAL]: [
          "asked to rotate, it replaces its credential by itself, and the old one opens nothing any more",
        ],
        [LIFECYCLE]: [
          "an active collector rotates its credential: the old one is valid until the new one is used",
          "a new credential that is not used in time dies, and the old one lives on",
        ],
      },
    },
    {
      says: "poll assigned metric sources with bounded, fair execution",
      provedBy: {
        [POLLING]: [
          "a poll's samples are points of its source, at the time for which it was scheduled",
        ],
        [POLL_LANE]: [
          "while a tenth of the sources hang, the others keep their intervals within a tenth",
          "however many sources hang at once, some slots are left for the others",
        ],
      },
    },
    {
      says: "run interactive source tests without blocking scheduled collection",
      provedBy: {
        [SOURCE_TEST]: ["whoever tests a source sees who does it, what happens, and the result"],
        [WORK]: [
          "a test starts though every slot is taken by sources that hang; its progress is told as it happens",
        ],
      },
    },
    {
      says: "deliver internal webhook notifications without exposing an inbound connection",
      provedBy: {
        [WEBHOOK]: ["a collector of the zone delivers where the server cannot reach"],
        [WORK]: [
          "notifications are delivered as they are, redirects not followed, and failures told in words",
        ],
        [HERE]: [LISTENS_NOWHERE],
      },
    },
    {
      says: "uses the same metric contract as any other ingestion client",
      provedBy: { [HERE]: [SAME_CONTRACT] },
    },
    {
      says: "enters the normal catalog, rule-evaluation, alert, and incident flows",
      provedBy: {
        [HERE]: [METRICS, SAME_CONTRACT],
        "server/notifications/from-point.test.ts": [
          "a point above a rule's bound becomes an alert, an incident and a signed message; the next one below it, their end",
        ],
      },
    },
  ],
  "Network model": [
    {
      says: "Collectors initiate all communication toward Lumetry",
      provedBy: { [HERE]: [LISTENS_NOWHERE] },
    },
    {
      says: "Lumetry does not need an inbound connection to the customer network",
      provedBy: { [HERE]: [LISTENS_NOWHERE] },
    },
    {
      says: "Host agents in the same zone can connect to the collector's relay endpoint",
      provedBy: {
        [RELAY_IDENTITY]: [OTHER_ZONE],
        "collector/relay/process.test.ts": [
          "a collector relays, reports it, does as its zone says, and collects on when its port is taken",
        ],
        [AGENT]: [THROUGH_COLLECTOR],
      },
    },
    {
      says: "collect metrics, buffer locally, outbound HTTPS: enroll / heartbeat / config / metrics",
      provedBy: {
        [HERE]: [METRICS, REPORTS, CONFIG],
        [CONTRACT]: [MACHINES],
      },
    },
    {
      says: "the collector can relay agents' requests while preserving each agent's identity",
      provedBy: {
        [RELAYED]: ["every method that the contract lets through is relayed, and tried here"],
        [RELAY_IDENTITY]: [
          "a hop header that an agent makes up is worthless: the collector's own takes its place",
        ],
        [AGENT]: [THROUGH_COLLECTOR],
      },
    },
    {
      says: "Agents can fall back to a direct connection when the collector is unavailable",
      provedBy: { [AGENT_FAULTS]: [FINDS_ANOTHER_WAY] },
    },
    {
      says: "Use TLS for every production connection",
      provedBy: {
        [OUTAGE]: [
          "a way to the server that is not encrypted must be accepted, and is then shown to operators",
        ],
        "server/http/malformed.test.ts": ["no TLS older than 1.2 is spoken"],
      },
    },
    {
      says: "A collector credential is not a user access token and cannot call user-management APIs",
      provedBy: {
        [LIFECYCLE]: ["a collector's credential is not a user's: it opens no management rpc"],
        [MATRIX]: [MAY_CALL],
      },
    },
    {
      says: "Polling and internal delivery are capability-gated",
      provedBy: {
        [SOURCE_TEST]: ["a collector gets what was granted and what it asks for, and nothing else"],
        [MATRIX]: [MAY_CALL],
      },
    },
    {
      says: "Work claims carry a lease, execution budget, and single-use claim token",
      provedBy: {
        [POLLING]: [
          "a lease is renewed, but never far beyond the budget",
          "of a hundred reports with one token, one counts",
        ],
      },
    },
    {
      says: "Results are accepted only from the current owner; stale results are rejected",
      provedBy: {
        [POLLING]: [
          "a report on a claim that somebody else has is refused, counted, and leaves no trace",
          "a token is of no use to another collector, or to another process",
        ],
        [CLAIM_MODEL]: [
          "one owner at a time, nothing lost, nothing stale, whatever happens in between",
        ],
      },
    },
  ],
  Enrollment: [
    {
      says: "Enrollment separates installation from identity",
      provedBy: {
        [EDGE_ENROLLMENT]: [NOBODY, PERSISTS],
      },
    },
    {
      says: "An administrator creates a collector registration",
      provedBy: {
        [ENROLLMENT]: ["a registration is pending until its token is redeemed, then active"],
        [MATRIX]: [MAY_CALL],
      },
    },
    {
      says: "a one-time enrollment token, shown only in that response, with an expiry time",
      provedBy: {
        [ENROLLMENT]: [
          "the token is shown only in the response that made it, and kept only as a hash",
          "the token works once",
          "of a hundred at once with the same token exactly one gets an identity",
          "an expired token is refused, and a replacement for it works",
        ],
      },
    },
    {
      says: "The collector sends the token and basic host facts to the enrollment endpoint",
      provedBy: { [HERE]: ["'sends the token and basic host facts to the enrollment endpoint'"] },
    },
    {
      says: "Lumetry returns the collector ID and its ongoing machine credential",
      provedBy: {
        [ENROLLMENT]: ["a registration is pending until its token is redeemed, then active"],
      },
    },
    {
      says: "The collector persists that identity and uses it for future requests",
      provedBy: { [EDGE_ENROLLMENT]: [PERSISTS] },
    },
    {
      says: "A generic installer or container image contains no customer identity",
      provedBy: {
        [EDGE_ENROLLMENT]: [NOBODY],
      },
    },
    {
      says: "The one-time token is what binds an installation to its Lumetry workspace",
      provedBy: {
        [HERE]: ["'The one-time token is what binds an installation to its Lumetry workspace'"],
        [MATRIX]: ["another workspace's ids answer not found, everywhere"],
      },
    },
    {
      says: "If a pending token expires, an administrator can generate a replacement",
      provedBy: {
        [ENROLLMENT]: [
          "an expired token is refused, and a replacement for it works",
          "a token that is replaced before its time is void at once",
        ],
      },
    },
    {
      says: "Once enrolled, it cannot use the enrollment-token endpoint again",
      provedBy: {
        [ENROLLMENT]: ["once enrolled, a collector gets no other enrollment token"],
      },
    },
  ],
  "Offline behavior": [
    {
      says: "Collection and upload are separate activities",
      provedBy: { [OUTAGE]: [DOWN_AT_START, OUTLIVES] },
    },
    {
      says: "collection continues and points remain in a bounded local buffer",
      provedBy: {
        [OUTAGE]: [DOWN_AT_START, OUTLIVES],
        [LIMIT]: [
          "at any moment the whole directory stays within its limit, and the oldest points go first",
        ],
      },
    },
    {
      says: "Uploads resume from the oldest queued data after connectivity returns",
      provedBy: {
        [OUTAGE]: [DOWN_AT_START, OUTLIVES],
        [QUEUE]: ["what was appended comes out in order, once"],
      },
    },
    {
      says: "The default buffer limit is 500 MB",
      provedBy: {
        [HERE]: [
          "'The default buffer limit is 500 MB', and a running collector says that it is in force",
        ],
      },
    },
    {
      says: "When the limit is exceeded, the oldest queued points are removed first",
      provedBy: {
        [LIMIT]: [
          "at any moment the whole directory stays within its limit, and the oldest points go first",
          "a drop takes no more than a twentieth of the limit, and says from when to when",
        ],
      },
    },
    {
      says: "Queue depth and cumulative dropped-point count are in heartbeats, visible to operators",
      provedBy: {
        [HERE]: [REPORTS],
        [LIFECYCLE]: [
          "a heartbeat shows liveness, version, queue depth, dropped points and clock skew",
          "a loss that is reported twice counts once",
        ],
      },
    },
    {
      says: "last-seen values are shown as elapsed ages, such as 12 minutes ago",
      provedBy: {
        [HERE]: ["'Collector last-seen values are shown as elapsed ages, such as 12 minutes ago'"],
      },
    },
    {
      says: "at-least-once: a point can be retried after an interrupted upload",
      provedBy: {
        [OUTAGE]: [DOWN_AT_START, OUTLIVES],
        [CRASH]: ["a crash at any step of a batch's life neither loses nor changes it"],
      },
    },
    {
      says: "Downstream evaluation is designed to avoid duplicate operational outcomes",
      provedBy: {
        [REPEATS]: [
          "a batch that is sent again gets the first answer and is stored once",
          "fifty at once over two servers store a batch once and answer alike",
        ],
        "server/ingest/write.test.ts": [
          "of several points at one time the first that arrived is kept",
        ],
      },
      later: "incidents",
    },
  ],
  Configuration: [
    {
      says: "Collector configuration is a versioned JSON document",
      provedBy: {
        [CONFIGURATION]: [
          "a published document is offered as the next revision, as it was written",
          "history shows every revision and how it fared, and an earlier one can be taken up again",
        ],
      },
    },
    {
      says: "checks whether a newer revision is available, and fetches it when needed",
      provedBy: {
        [HERE]: [CONFIG],
        [CONFIGURATION]: [
          "before anything is published, a collector gets revision 0 and the defaults",
        ],
      },
    },
    { says: "validates it before applying it", provedBy: { [HERE]: [CONFIG] } },
    {
      says: "acknowledges the revision as applied or rejected",
      provedBy: {
        [HERE]: [CONFIG],
        [CONFIGURATION]: [
          "an acknowledgement shows offered, running, outcome, reason and ignored keys",
        ],
      },
    },
    {
      says: "keeps the last valid configuration if a new revision is invalid",
      provedBy: { [HERE]: [CONFIG] },
    },
    {
      says: "The current host-metric configuration is hostMetrics: enabled, intervalSeconds",
      provedBy: {
        [HERE]: [
          "'The current host-metric configuration is' valid as it is printed, and is the default",
        ],
      },
    },
    {
      says: "intervalSeconds must be between 10 and 3600",
      provedBy: {
        [CONFIGURATION]: [
          "publishing … is refused with words, and stores nothing",
          "the bounds themselves, {} and absent properties are valid",
        ],
      },
    },
    {
      says: "Unknown properties are ignored so newer documents do not break older collectors",
      provedBy: { [HERE]: [CONFIG], [CONFIGURATION]: ["unknown properties are ignored and named"] },
    },
  ],
  "Health and lifecycle": [
    {
      says: "pending: registered but not yet enrolled",
      provedBy: {
        [ENROLLMENT]: ["a registration is pending until its token is redeemed, then active"],
      },
    },
    {
      says: "active: enrolled and allowed to communicate",
      provedBy: {
        [ENROLLMENT]: ["a registration is pending until its token is redeemed, then active"],
        [EDGE_ENROLLMENT]: [PERSISTS],
      },
    },
    {
      says: "duplicate_suspected: the same credential may be running in more than one process",
      provedBy: {
        [DUPLICATES]: [
          "a clone of the data directory is suspected by the second heartbeat, with evidence of both",
          "a hundred restarts in a row are not taken for a clone",
        ],
      },
    },
    {
      says: "revoked: all credentials are invalid and the collector can no longer upload",
      provedBy: {
        [LIFECYCLE]: ["revocation is final, and in force within a second"],
        [EDGE_CREDENTIAL]: [REVOKED],
      },
    },
    {
      says: "surfaces missed heartbeats, significant clock skew, and suspected duplication as system alerts",
      provedBy: {
        [LIFECYCLE]: [
          "a temporary offline period is shown and revokes nobody",
          "a clock an hour off is measured and brought to attention, and costs nothing else",
        ],
        [DUPLICATES]: [
          "a clone of the data directory is suspected by the second heartbeat, with evidence of both",
        ],
        "server/system-alerts/outage.test.ts": [
          "a collector with three hundred agents behind it is cut off: one alert, and one recovery",
        ],
        "server/system-alerts/matters.test.ts": [
          "a clone of a data directory is told of by its second heartbeat, with evidence of both hosts",
          "what a heartbeat tells becomes an alert when it lasts, and ends when it is over",
        ],
      },
    },
    {
      says: "A temporary offline period does not automatically revoke the collector",
      provedBy: { [LIFECYCLE]: ["a temporary offline period is shown and revokes nobody"] },
    },
    {
      says: "Revocation is final for that collector identity",
      provedBy: {
        [EDGE_CREDENTIAL]: [REVOKED],
        [LIFECYCLE]: ["the database itself refuses to reactivate a revoked collector"],
      },
    },
    {
      says: "Enroll a replacement rather than trying to reactivate a revoked identity",
      provedBy: {
        [HERE]: [REPLACEMENT],
        [LIFECYCLE]: ["revocation is final, and in force within a second"],
      },
    },
  ],
};

const COMMANDS = "server/enrollment-profiles/commands.test.ts";
const AGENT_ENROLLMENT = "server/agents/enrollment.test.ts";
const PLACEMENT = "server/topology/placement.test.ts";
const AGENTS_CLI = "console/cli/agents.test.ts";

const DOCUMENTS_COMMANDS =
  "the commands are those of the documents, with this deployment's places and the token";
const COLLECTOR_FIRST =
  "collector-first commands carry the collector's address and the key to pin, and a cluster its id";
const BY_NAME_OR_ID =
  "a host asks for a cluster by its name, without regard to case, or by its exact id";
const WHATEVER =
  "whatever is asked for, the host enrolls, is told what became of it, and so is the audit log";

const INSTALLED = "installers/linux/journey.ts";
const INSTALLED_COLLECTOR = "installers/linux/collector.ts";
const INSTALLED_ARM64 = "installers/linux/arm64.ts";
const INSTALL_FAULTS = "installers/linux/faults.ts";
const AS_COPIED = "the shown command, as copied, installs an agent that is connected";
const OWN_SERVICE =
  "the service starts at boot, has a user of its own, and a sandbox of 2.0 or better";
const PLACED =
  "a cluster is asked for in both forms, and a host that cannot be placed is installed all the same";
const BY_PINNED_KEY =
  "a collector is installed by the command that the server shows, and an agent comes through it by the pinned key alone";
const ON_ARM64 =
  "the command installs the package for arm64 on a host with that processor, and its service works";
const MISTAKES_TOLD = "mistakes in the command are told before anything is touched";
const BAD_DOWNLOADS =
  "a download that is corrupt, cut, short, a page or missing changes nothing, and says what it was";

const WINDOWS = "installers/windows.ts";
const AUTHENTICODE = "installers/authenticode.ts";
const WINDOWS_SETUP = "packaging/windows/setup.test.ts";
const POWERSHELL = "packaging/windows/powershell.test.ts";
const PARAMETERS =
  "the parameters of install.ps1 become settings of the agent, and the token stays apart";
const GRAMMAR = "the scripts are PowerShell by its grammar, and the check finds a mistake";
const ENROLLS_AND_GOES =
  "windows: setup installs a service that enrolls, and takes the token away; uninstalling leaves nothing";
const UPGRADES =
  "windows: an upgrade takes the old version's place, keeps the identity and needs no token; a restart of Windows starts it";
const CRASH_CODES =
  "windows: a service that crashes ends with its code as the service's, one that needs a person ends for good";
const ROLLED_BACK =
  "windows: a version that crashes is rolled back, with its settings; Windows learns its exit code";

/** Every sentence of the product document on host agents, in its order. */
export const hostAgents: Record<string, Sentence[]> = {
  "Installing Host Agents": [
    {
      says: "Create an enrollment profile",
      provedBy: {
        [AGENTS_CLI]: [
          "a profile comes with its token, its limits, and the commands for each system",
        ],
      },
    },
    {
      says: "shows the enrollment token once",
      provedBy: {
        [AGENT_ENROLLMENT]: [
          "the token and the credential are shown once, and kept only as hashes",
        ],
      },
    },
    {
      says: "renders both Linux and Windows commands with the current Lumetry endpoint",
      provedBy: { [COMMANDS]: [DOCUMENTS_COMMANDS] },
    },
    {
      says: "Installer locations are deployment-owned; copy the displayed command",
      provedBy: {
        [COMMANDS]: [
          DOCUMENTS_COMMANDS,
          "the Linux command is one that bash reads as it is meant",
          "whatever a value holds, a shell takes it for one argument",
        ],
      },
    },
  ],
  "Windows Server": [
    {
      says: "the displayed command in an elevated PowerShell session, in this form",
      provedBy: {
        [COMMANDS]: [DOCUMENTS_COMMANDS],
        [POWERSHELL]: [
          "the shown command is PowerShell, also where it pins an authority",
          "install.ps1 takes the parameters of the documents, and hands every setting on",
        ],
      },
      later: "a real Windows",
    },
    {
      says: "For collector-first routing, add -CollectorUrl",
      provedBy: { [COMMANDS]: [COLLECTOR_FIRST], [WINDOWS_SETUP]: [PARAMETERS] },
    },
    {
      says: "-Cluster for a case-insensitive display-name match, -ClusterId for an exact external-ID match",
      provedBy: { [PLACEMENT]: [BY_NAME_OR_ID], [WINDOWS_SETUP]: [PARAMETERS] },
    },
    {
      says: "Do not supply both",
      provedBy: {
        [AGENT]: [CONTRADICTIONS],
        [WINDOWS_SETUP]: [
          "a mistake in a parameter is told by the parameter's name, without the secret",
        ],
      },
    },
    {
      says: "Enrollment still succeeds when the value is missing, is not a Cluster, or does not identify exactly one",
      provedBy: { [PLACEMENT]: [WHATEVER] },
    },
    {
      says: "The bootstrap verifies the package checksum",
      provedBy: {
        [AUTHENTICODE]: [
          "authenticode: the same package twice is the same bytes; it unpacks, and its bootstrap knows its signer and checksum",
        ],
        [POWERSHELL]: [GRAMMAR],
      },
      later: "a real Windows",
    },
    {
      says: "The package installer also verifies Authenticode signatures before it creates the service",
      provedBy: {
        [AUTHENTICODE]: [
          "authenticode: every program and script bears the publisher's signature, but Node's its makers'",
          "authenticode: a byte changed in any signed file is found, and so is a missing signature",
          "authenticode: the signed manifest holds every other file by its hash",
        ],
        [POWERSHELL]: [GRAMMAR],
      },
      later: "a real Windows",
    },
    {
      says: "is named LumetryAgent; starts automatically after boot and has restart recovery configured",
      provedBy: { [WINDOWS]: [ENROLLS_AND_GOES, UPGRADES, CRASH_CODES] },
      later: "a real Windows",
    },
    {
      says: "runs under the dedicated Windows virtual account; not as LocalSystem or a local administrator",
      provedBy: {
        [WINDOWS]: [ENROLLS_AND_GOES],
        [WINDOWS_SETUP]: ["a service's identifier is made as Windows makes it"],
      },
      later: "a real Windows",
    },
    {
      says: "stores identity, the offline queue, configuration, and local status under %ProgramData%",
      provedBy: {
        [WINDOWS]: [ENROLLS_AND_GOES],
        [WINDOWS_SETUP]: [
          "the service may change its data, only read its settings, and nobody else sees either",
        ],
      },
    },
    {
      says: "writes operational messages to the Windows Application event log",
      provedBy: {
        [WINDOWS]: [ENROLLS_AND_GOES, ROLLED_BACK],
        [WINDOWS_SETUP]: [
          "messages of the agent's log reach the event log, as sentences, and not without end",
        ],
      },
      later: "a real Windows",
    },
    {
      says: "When IIS is installed, its scripts and tools are ensured, and local read/method access is granted",
      provedBy: {
        [WINDOWS_SETUP]: [
          "with IIS, its tools are added if they are missing, and the service may use its namespace",
          "the right on a namespace of WMI is added once, among the own ones, and taken away without a trace",
        ],
      },
      later: "a real Windows",
    },
    {
      says: "removes the enrollment token from the service environment after the host enrolls",
      provedBy: { [WINDOWS]: [ENROLLS_AND_GOES] },
    },
    {
      says: "Uninstall removes the service, program files, and agent state; -KeepState preserves identity and data",
      provedBy: {
        [WINDOWS]: [ENROLLS_AND_GOES, "windows: kept state is a new installation's identity"],
        [POWERSHELL]: [GRAMMAR],
      },
      later: "a real Windows",
    },
  ],
  Linux: [
    {
      says: "the displayed command, in this form",
      provedBy: { [COMMANDS]: [DOCUMENTS_COMMANDS], [INSTALLED]: [AS_COPIED] },
    },
    {
      says: "Add --collector for collector-first routing",
      provedBy: { [COMMANDS]: [COLLECTOR_FIRST], [INSTALLED_COLLECTOR]: [BY_PINNED_KEY] },
    },
    {
      says: "--cluster=NAME or --cluster_id=ID; the external-ID form is the recommended automation key",
      provedBy: {
        [COMMANDS]: [COLLECTOR_FIRST],
        [PLACEMENT]: [BY_NAME_OR_ID],
        [INSTALLED]: [PLACED],
      },
    },
    {
      says: "Do not supply both",
      provedBy: { [AGENT]: [CONTRADICTIONS], [INSTALL_FAULTS]: [MISTAKES_TOLD] },
    },
    {
      says: "A missing or ambiguous match leaves the host unassigned without blocking enrollment",
      provedBy: { [PLACEMENT]: [WHATEVER], [INSTALLED]: [PLACED] },
    },
    {
      says: "selects x64 or arm64, verifies the checksum, installs the service",
      provedBy: {
        [INSTALLED]: [AS_COPIED, OWN_SERVICE],
        [INSTALLED_ARM64]: [ON_ARM64],
        [INSTALL_FAULTS]: [BAD_DOWNLOADS],
      },
    },
  ],
  "Network behavior": [
    { says: "Agents make outbound connections only", provedBy: { [AGENT]: [NO_PORT] } },
    {
      says: "tries the collector first and falls back to Lumetry directly when network policy allows",
      provedBy: { [AGENT_FAULTS]: [FINDS_ANOTHER_WAY], [AGENT]: [THROUGH_COLLECTOR] },
    },
    {
      says: "When neither path is available, metrics remain in the queue and upload later",
      provedBy: { [AGENT_FAULTS]: [FINDS_ANOTHER_WAY] },
    },
    {
      says: "use TLS for Lumetry and for collector connections that cross an untrusted network",
      provedBy: {
        [COMMANDS]: [
          "the way in cleartext, a certificate made here and a missing installer are told of",
        ],
        [AGENT]: [
          "a collector over http: works as the documents write it, and is warned of",
          THROUGH_COLLECTOR,
        ],
      },
    },
  ],
};
