import { configure } from "../edge/configure.ts";
import { showFindings } from "../edge/doctor.ts";
import { acceptServer, EXIT_SETTINGS, fail, runProgram } from "../edge/program.ts";
import { selfTest } from "../edge/self-test.ts";
import { showStatus } from "../edge/show-status.ts";
import { readPair } from "../lib/certificates/pair.ts";
import { readProcessSettings } from "../lib/process-settings.ts";
import { enrollCollector } from "./enroll.ts";
import { RELAY_FLAGS, type RelaySettings, startRelay } from "./relay/relay.ts";
import { type CollectorSettings, collectorSettings } from "./settings.ts";
import { workRows } from "./work/status-rows.ts";
import { Work, type WorkStatus } from "./work/work.ts";
import { withWork } from "./work/work-sampler.ts";

/** Undefined when this collector does not relay. Files that will not do end the process with 2. */
async function relaySettings(
  settings: CollectorSettings,
  server: string,
): Promise<RelaySettings | undefined> {
  const { relayListen, relayCert, relayKey, ca, proxy, dataDir } = settings;
  if (!relayListen) return undefined;
  if ((relayCert === undefined) !== (relayKey === undefined)) {
    const missing = relayCert === undefined ? "--relay-cert" : "--relay-key";
    const words = `--relay-cert and --relay-key belong together: give ${missing} as well`;
    fail("collector", words, EXIT_SETTINGS);
  }
  try {
    if (relayCert !== undefined && relayKey !== undefined) {
      await readPair(relayCert, relayKey, Date.now(), RELAY_FLAGS);
    }
    return {
      listen: relayListen,
      url: settings.relayUrl,
      certFile: relayCert,
      keyFile: relayKey,
      server,
      caFile: ca,
      proxy,
      dataDir,
      limits: {
        connections: settings.relayMaxConnections,
        connectionsPerAddress: settings.relayMaxConnectionsPerAddress,
      },
    };
  } catch (error) {
    fail("collector", (error as Error).message, EXIT_SETTINGS);
  }
}

/** The answers of all polls together; one poll may take most of it. */
const HELD_LIMIT_BYTES = 64 * 2 ** 20;

const workSettings = (settings: CollectorSettings) => ({
  dataDir: settings.dataDir,
  pollSlots: settings.pollSlots,
  testSlots: settings.testSlots,
  deliverySlots: settings.deliverySlots,
  outageLimitBytes: settings.outageLimit,
  heldLimitBytes: HELD_LIMIT_BYTES,
  allowLoopback: settings.workLoopback,
});

/** The server's address, which a collector cannot do without. */
function requireServer(settings: CollectorSettings): string {
  const server = acceptServer("collector", settings);
  if (server !== undefined) return server;
  fail(
    "collector",
    "--server (LUMETRY_SERVER) is missing; write for example https://lumetry.example.com",
    EXIT_SETTINGS,
  );
}

async function examineHost(argv: string[]): Promise<void> {
  const settings = readProcessSettings("lumetry collector doctor", collectorSettings, argv);
  await showFindings("collector", {
    routes: [{ kind: "direct", url: requireServer(settings) }],
    caFile: settings.ca,
    proxy: settings.proxy,
    pins: [],
    dataDir: settings.dataDir,
    queueLimitBytes: settings.queueLimit,
  });
}

async function run(): Promise<void> {
  const settings = readProcessSettings("lumetry collector", collectorSettings);
  const server = requireServer(settings);
  const relay = await relaySettings(settings, server);
  let work: Work | undefined;
  await runProgram("collector", settings, {
    routes: [{ kind: "direct", url: server }],
    redeem: enrollCollector,
    wrapSampler: (sampler) => withWork(sampler, () => work?.status({ reset: true })),
    startDuty: async ({ upstream, ...edge }) => {
      work = await Work.open(workSettings(settings), { work: upstream.work, ...edge });
      return work;
    },
    dutyStatus: () => work?.status(),
    ...(relay && {
      startRelaying: (identity, { clock, log }) =>
        startRelay(relay, {
          credential: () => (identity.isEnrolled ? identity.credential : undefined),
          clock,
          log,
        }),
    }),
  });
}

const [command, ...argv] = process.argv.slice(2);
if (command === "status") {
  await showStatus("collector", argv, collectorSettings.dataDir, ({ work }) =>
    workRows(work as WorkStatus | undefined),
  );
} else if (command === "doctor") await examineHost(argv);
else if (command === "self-test") await selfTest("collector");
else if (command === "configure") {
  await configure("collector", argv, collectorSettings, requireServer);
} else await run();
