import { parseArgs } from "node:util";
import { ageText, spanText } from "../lib/age.ts";
import type { EdgeKind } from "./identity.ts";
import { readStatus, type Status } from "./status.ts";

const help = (kind: EdgeKind) => `Usage: lumetry ${kind} status [--data-dir DIR] [--json]

Shows how the ${kind} on this machine is doing. Ends with 0 while it is connected, else with 1.
`;

/** The process writes its status every ten seconds at least; one this old was left behind by a dead one. */
const STALE_MS = 30_000;

function isRunning(status: Status): boolean {
  if (Date.now() - Date.parse(status.writtenAt) > STALE_MS) return false;
  try {
    process.kill(status.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const age = (time: string | undefined) =>
  time === undefined ? "never" : ageText(Date.now() - Date.parse(time));

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

type Row = [name: string, value: string];

/** The ways to the server, in order of preference, each with why it is taken or not. */
function routeRows(routes: Status["routes"]): Row[] {
  const isOnly = routes.length === 1;
  return routes.map(({ kind, url, inUse, problem, since }): Row => {
    const name = kind === "direct" ? "server" : "collector";
    if (isOnly) return [name, url];
    const span = since === undefined ? "" : ` for ${spanText(Date.now() - Date.parse(since))}`;
    if (problem !== undefined) return [name, `${url}, failing${span}: ${problem}`];
    return [name, `${url}, ${inUse ? `in use${span}` : "standing by"}`];
  });
}

function lines(
  kind: EdgeKind,
  status: Status,
  state: string,
  more: (status: Status) => Row[],
): string[] {
  const { queue } = status;
  const rows: Row[] = [
    ["state", status.problem ? `${state}: ${status.problem}` : state],
    ...routeRows(status.routes),
    [kind === "agent" ? "agent" : "collector", status.edgeId || "not enrolled yet"],
    ...(status.placement === undefined ? [] : [["placement", status.placement] satisfies Row]),
    ["version", `${status.version}, process ${status.pid}, started ${age(status.startedAt)}`],
    ["last heartbeat", age(status.lastHeartbeatAt)],
    ["last upload", age(status.lastUploadAt)],
    [
      "queue",
      `${queue.queuedPoints.toLocaleString("en")} points, ${megabytes(queue.diskBytes)} of ${megabytes(queue.limitBytes)}` +
        (queue.timeToFullMs === undefined ? "" : `, full in ${spanText(queue.timeToFullMs)}`),
    ],
    [
      "lost",
      `${queue.droppedPoints.toLocaleString("en")} at the limit, ${queue.damagedPoints.toLocaleString("en")} to damage, ${queue.refusedPoints.toLocaleString("en")} refused, ${queue.unreadablePoints.toLocaleString("en")} unreadable to the server`,
    ],
    [
      "clock",
      status.clockOffsetMs === undefined
        ? "not measured yet"
        : Math.abs(status.clockOffsetMs) < 1000
          ? "right"
          : `${spanText(status.clockOffsetMs)} ${status.clockOffsetMs > 0 ? "ahead" : "behind"}`,
    ],
    [
      "configuration",
      status.configRevision === "0" ? "defaults" : `revision ${status.configRevision}`,
    ],
    ...relayRows(kind, status),
    ...more(status),
    ["warnings", status.warnings.join(", ").toLowerCase().replaceAll("_", " ") || "none"],
  ];
  return rows.map(([name, value]) => `${name.padEnd(15)} ${value}`);
}

function relayRows(kind: EdgeKind, { relay }: Status): Row[] {
  if (!relay) return kind === "agent" ? [] : [["relay", "off"]];
  const count = (number: number) => number.toLocaleString("en");
  const calls = `${count(relay.connections)} connections, ${count(relay.relayedCalls)} calls relayed, ${count(relay.refusedCalls)} turned away`;
  return [
    ["relay", relay.problem ? `down: ${relay.problem}` : `${relay.url}, ${calls}`],
    ["relay's key", relay.publicKeySha256 ? `sha256:${relay.publicKeySha256}` : "not made yet"],
    ["cleartext", relay.allowsCleartext ? "taken from agents" : "refused"],
  ];
}

function readFlags(kind: EdgeKind, argv: string[]) {
  try {
    const options = {
      "data-dir": { type: "string" },
      json: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    } as const;
    return parseArgs({ args: argv, options }).values;
  } catch (error) {
    process.stderr.write(`lumetry ${kind} status: ${(error as Error).message}\n\n${help(kind)}`);
    process.exit(2);
  }
}

/** `lumetry collector status` and alike: what the process on this machine last wrote about itself. */
export async function showStatus(
  kind: EdgeKind,
  argv: string[],
  dataDir: { parse: (text: string) => string; default: string },
  more: (status: Status) => Row[] = () => [],
): Promise<void> {
  const values = readFlags(kind, argv);
  if (values.help) {
    process.stdout.write(help(kind));
    return;
  }
  const directory = dataDir.parse(
    values["data-dir"] ?? process.env.LUMETRY_DATA_DIR ?? dataDir.default,
  );
  const status = await readStatus(directory);
  if (!status) {
    process.stderr.write(
      `lumetry ${kind}: ${directory} holds no ${kind}; name its directory with --data-dir\n`,
    );
    process.exitCode = 1;
    return;
  }
  const state = isRunning(status) || status.state === "refused" ? status.state : "not running";
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ ...status, state }, null, 2)}\n`
      : `${lines(kind, status, state, more).join("\n")}\n`,
  );
  if (state !== "connected") process.exitCode = 1;
}
