import { readFileSync } from "node:fs";
import { rm, statfs } from "node:fs/promises";
import path from "node:path";
import { systemClock } from "../lib/clock.ts";
import { type Log, makeLog } from "../lib/log.ts";
import { stopSignal } from "../lib/signals.ts";
import type { Fingerprint } from "./connecting.ts";
import { type EdgeParts, runEdge } from "./edge.ts";
import type { Redeem } from "./enroll.ts";
import { readHostFacts } from "./host-metrics/host-facts.ts";
import { makeHostSampler } from "./host-metrics/host-sampler.ts";
import type { Sampler } from "./host-metrics/sampler.ts";
import type { StatFilesystem } from "./host-metrics/space.ts";
import type { EdgeKind } from "./identity.ts";
import { NeedsPerson } from "./needs-person.ts";
import type { Route } from "./routes.ts";
import type { CommonSettings } from "./settings.ts";

/** A mistake in the settings. */
export const EXIT_SETTINGS = 2;
/** A service manager should not start it again: somebody has to do something first. */
const EXIT_NEEDS_A_PERSON = 78;

export function fail(kind: EdgeKind, message: string, code: number): never {
  process.stderr.write(`lumetry ${kind}: ${message}\n`);
  process.exit(code);
}

/** The server's address, unless it is one that nobody has agreed to. */
export function acceptServer(kind: EdgeKind, { server, allowCleartext }: CommonSettings) {
  if (server?.startsWith("http:") && !allowCleartext) {
    fail(
      kind,
      `${server} is not encrypted: use https:, or accept that anybody on the way can read the credential, with --allow-cleartext true`,
      EXIT_SETTINGS,
    );
  }
  return server;
}

function readToken(kind: EdgeKind, settings: CommonSettings): string | undefined {
  const { enrollmentToken, enrollmentTokenFile } = settings;
  if (enrollmentToken !== undefined || enrollmentTokenFile === undefined) return enrollmentToken;
  try {
    return readFileSync(enrollmentTokenFile, "utf8").trim();
  } catch (error) {
    // Once enrolled, the file has done its duty and may be gone.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    fail(kind, `--enrollment-token-file: ${(error as Error).message}`, EXIT_SETTINGS);
  }
}

/** A token that lies in the data directory was put there for this program alone, and goes when it has done its duty. */
async function forgetToken({ enrollmentTokenFile, dataDir }: CommonSettings): Promise<void> {
  if (enrollmentTokenFile === undefined || path.dirname(enrollmentTokenFile) !== dataDir) return;
  await rm(enrollmentTokenFile, { force: true });
}

/** Calls of statfs that have not come back. */
let asked = 0;

const countedStatfs: StatFilesystem = async (path) => {
  asked += 1;
  try {
    return await statfs(path);
  } finally {
    asked -= 1;
  }
};

/** What differs between the kinds of edge. */
export interface ProgramParts {
  routes: readonly Route[];
  pins?: readonly Fingerprint[];
  redeem: Redeem;
  startRelaying?: EdgeParts["startRelaying"];
  startDuty?: EdgeParts["startDuty"];
  dutyStatus?: EdgeParts["dutyStatus"];
  /** Adds what this kind measures besides its host. */
  wrapSampler?: (sampler: Sampler) => Sampler;
}

function warnOfCleartext(routes: readonly Route[], log: Log): void {
  for (const { kind, url } of routes) {
    if (!url.startsWith("http:")) continue;
    const to = kind === "direct" ? "server" : "collector";
    log.warn({ [to]: url }, `the way to the ${to} is not encrypted`);
  }
}

/** Runs an edge until it is told to stop, and ends the process with the code that its end deserves. */
export async function runProgram(
  kind: EdgeKind,
  settings: CommonSettings,
  parts: ProgramParts,
): Promise<void> {
  const enrollmentToken = readToken(kind, settings);
  const log = makeLog(settings.logLevel, { process: kind });
  const signal = stopSignal();
  const { routes, pins, redeem, startRelaying, startDuty, dutyStatus, wrapSampler } = parts;
  warnOfCleartext(routes, log);
  try {
    const hostSampler = await makeHostSampler({ log, statFilesystem: countedStatfs });
    await runEdge(
      {
        kind,
        routes,
        pins,
        caFile: settings.ca,
        proxy: settings.proxy,
        dataDir: settings.dataDir,
        enrollmentToken,
        queueLimitBytes: settings.queueLimit,
      },
      {
        sampler: wrapSampler ? wrapSampler(hostSampler) : hostSampler,
        redeem,
        facts: readHostFacts,
        onEnrolled: () =>
          forgetToken(settings).catch((error) =>
            log.warn({ err: error }, "the file of the enrollment token cannot be removed"),
          ),
        startRelaying,
        startDuty,
        dutyStatus,
        clock: systemClock,
        log,
        signal,
      },
    );
  } catch (error) {
    fail(kind, (error as Error).message, error instanceof NeedsPerson ? EXIT_NEEDS_A_PERSON : 1);
  }
  if (asked > 0) {
    // Node waits at its exit for a statfs on a dead network mount, for ever. Everything of value
    // is on disk by now.
    process.removeAllListeners("SIGTERM");
    process.kill(process.pid, "SIGTERM");
  } else process.exit(0);
}
