import { configure } from "../edge/configure.ts";
import { showFindings } from "../edge/doctor.ts";
import { acceptServer, EXIT_SETTINGS, fail, runProgram } from "../edge/program.ts";
import { selfTest } from "../edge/self-test.ts";
import { showStatus } from "../edge/show-status.ts";
import { readProcessSettings } from "../lib/process-settings.ts";
import { SettingsError } from "../lib/settings.ts";
import { enrollAgent, wishOf } from "./enroll.ts";
import { routesOf } from "./routes.ts";
import { type AgentSettings, agentSettings } from "./settings.ts";

/** Does what reads the settings together, and ends the process where they contradict each other. */
function orFail<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SettingsError) fail("agent", error.message, EXIT_SETTINGS);
    throw error;
  }
}

/** The ways that the settings name, if they are ones that somebody has agreed to. */
function acceptRoutes(settings: AgentSettings) {
  const routes = orFail(() => routesOf(settings));
  const server = routes.find(({ kind }) => kind === "direct")?.url;
  acceptServer("agent", { ...settings, server });
  return routes;
}

async function run(): Promise<void> {
  const settings = readProcessSettings("lumetry agent", agentSettings);
  await runProgram("agent", settings, {
    routes: acceptRoutes(settings),
    pins: settings.collectorFingerprint,
    redeem: enrollAgent(orFail(() => wishOf(settings))),
  });
}

async function examineHost(argv: string[]): Promise<void> {
  const settings = readProcessSettings("lumetry doctor", agentSettings, argv);
  const { ca, proxy, dataDir, queueLimit, collectorFingerprint } = settings;
  await showFindings("agent", {
    routes: acceptRoutes(settings),
    caFile: ca,
    proxy,
    pins: collectorFingerprint,
    dataDir,
    queueLimitBytes: queueLimit,
  });
}

const [command, ...argv] = process.argv.slice(2);
if (command === "status") await showStatus("agent", argv, agentSettings.dataDir);
else if (command === "doctor") await examineHost(argv);
else if (command === "self-test") await selfTest("agent");
else if (command === "configure") {
  await configure("agent", argv, agentSettings, (settings) => [
    acceptRoutes(settings),
    wishOf(settings),
  ]);
} else await run();
