import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readStatus } from "../../edge/status.ts";
import { addProfile } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { setUp, startTestServer } from "../support/server.ts";
import type { Section } from "./report.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/lumetry.js", import.meta.url));
/** From the start to what is called steady, and how long that is then watched. */
const SETTLE_MS = 90_000;
const WATCH_MINUTES = 4;
/** Linux counts processor time in hundredths of a second. */
const TICK_MS = 10;

interface Figures {
  rss: number;
  anonymous: number;
  cpuMs: number;
  points: number;
}

async function look(pid: number, dataDir: string): Promise<Figures> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const megabytes = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]) * 1024) / 1e6;
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    rss: megabytes("Rss"),
    anonymous: megabytes("Anonymous"),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    points: (await readStatus(dataDir))?.queue.appendedPoints ?? 0,
  };
}

/** What an agent costs its host: as it is installed, at one sample a minute and a heartbeat every 30 s. */
export async function benchAgent(): Promise<Section> {
  await using server = await startTestServer({ heartbeatInterval: 30_000 });
  const { token } = await addProfile(server, await setUp(server));
  const home = await mkdtemp(path.join(tmpdir(), "lumetry-bench-"));
  const dataDir = path.join(home, "agent");
  const run = async <T>(watch: (pid: number) => Promise<T>): Promise<T> => {
    const flags = ["--server", server.url, "--ca", server.caFile, "--data-dir", dataDir];
    const child = spawn(process.execPath, [LAUNCHER, "agent", ...flags, "--log-level", "error"], {
      env: { PATH: process.env.PATH, HOME: home, LUMETRY_ENROLLMENT_TOKEN: token },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
      await eventually("the agent is connected", async () => {
        const status = await readStatus(dataDir);
        return status?.state === "connected" && status.pid === child.pid;
      });
      return await watch(child.pid ?? 0);
    } finally {
      child.kill("SIGTERM");
      await ended;
    }
  };
  try {
    // The first start compiles; an agent that lives has been started before.
    await run(() => wait(12_000));
    return await run(async (pid) => {
      await wait(SETTLE_MS);
      const before = await look(pid, dataDir);
      await wait(WATCH_MINUTES * 60_000);
      const after = await look(pid, dataDir);
      const cpuMs = (after.cpuMs - before.cpuMs) / WATCH_MINUTES;
      const share = (100 * cpuMs) / 60_000;
      const points = (after.points - before.points) / WATCH_MINUTES;
      return {
        title: "What an agent costs its host",
        about: [
          "As it is installed: a sample a minute and a heartbeat every 30 s, to a server on the same machine.",
        ],
        tables: [
          {
            head: ["what", "measured", "aim"],
            rows: [
              ["resident memory", `${after.rss.toFixed(1)} MB`, "below 100, better 75"],
              ["of it anonymous", `${after.anonymous.toFixed(1)} MB`, ""],
              ["processor time a minute", `${cpuMs.toFixed(0)} ms`, ""],
              ["share of one core", `${share.toFixed(3)} %`, "below 0.1"],
              ["points a sample", points.toFixed(0), ""],
            ],
          },
        ],
        notes: [],
      };
    });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
