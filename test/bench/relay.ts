import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { WriteMetricsRequestSchema } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { addAgent } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { install } from "../support/installation.ts";
import { setUp, startTestServer } from "../support/server.ts";
import type { Crowd } from "./relay/agents.ts";
import { compareAtOnePace } from "./relay/at-one-pace.ts";
import type { Front } from "./relay/front.ts";
import { installCollector } from "./relay/installed.ts";
import { type Outcome, type Shot, shoot, writeShot } from "./relay/load.ts";
import { startNginx } from "./relay/nginx.ts";
import { median, ratio, round, type Section, type Table } from "./report.ts";

const CONNECTIONS = [1, 8, 64];
const AGENTS = 1_000;
const PATH = "/lumetry.ingest.v1.MetricsService/WriteMetrics";

/** A collector's relay beside nginx, and what a thousand agents cost it. */
export async function benchRelay({ quick }: { quick: boolean }): Promise<Section> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-bench-relay-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const server = stack.use(await startTestServer({ callsPerSecond: 1_000_000 }));
  const serverPort = Number(new URL(server.url).port);
  const pem = path.join(path.dirname(server.caFile), "server.pem");
  const owner = await setUp(server);
  const agent = await addAgent(server, owner);
  const shot: Shot = {
    path: PATH,
    headers: { "content-type": "application/proto", authorization: `Bearer ${agent.credential}` },
    body: makeBody(),
  };
  const script = path.join(directory, "shot.lua");
  await writeShot(script, shot);
  const rounds = { script, rounds: quick ? 1 : 5, seconds: quick ? 1 : 3 };

  const nothing = stack.use(await startChild("relay/nothing.ts", pem));
  const nothingUrl = `https://localhost:${nothing.port}`;
  const alone = stack.use(await startChild("relay/alone.ts", nothingUrl, server.caFile, directory));
  const nginx1 = stack.use(await startNginx(nothing.port, pem));
  const fronts1: Front[] = [
    { name: "straight", port: nothing.port, pid: undefined },
    { name: "nginx", port: nginx1.port, pid: nginx1.worker },
    {
      ...{ name: "collector", port: alone.port, pid: alone.pid },
      ca: await readFile(path.join(directory, "relay/certificate.pem"), "utf8"),
    },
  ];
  const table1 = await compare(
    "Before a handler that does nothing, as often as they can",
    rounds,
    fronts1,
  );
  const paced = await compareAtOnePace(
    "Before a handler that does nothing",
    {
      ...{ shot, ca: await readFile(server.caFile, "utf8") },
      ...{ rounds: quick ? 1 : 3, seconds: quick ? 2 : 5 },
    },
    fronts1,
  );

  const installation = stack.use(await install(server, owner));
  const installed = await installCollector(path.join(directory, "installed"));
  const start = async (flags: string[] = []) => {
    const collector = installation.start({ ...installed, relayListen: "127.0.0.1:0", flags });
    await installation.connected(collector);
    const relay = await eventually("it relays", async () => (await collector.status())?.relay);
    const port = Number(new URL(relay.url).port);
    return { port, pid: collector.child.pid ?? 0, stop: () => collector.stop() };
  };
  const collector = await start(["--relay-max-connections-per-address", "2000"]);
  const nginx2 = stack.use(await startNginx(serverPort, pem));
  const table2 = await compare(
    "Before the server, which stores the points, as often as they can",
    rounds,
    [
      { name: "straight", port: serverPort, pid: undefined },
      { name: "nginx", port: nginx2.port, pid: nginx2.worker },
      { name: "collector", port: collector.port, pid: collector.pid },
    ],
  );

  const ca = await readFile(path.join(installation.dataDir, "relay/certificate.pem"), "utf8");
  await collector.stop();
  const memory: string[][] = [];
  for (const version of ["1.1", "2"] as const) {
    // A process that has done nothing yet.
    const fresh = await start();
    const crowd: Crowd = {
      ...{ ca, version, path: PATH, headers: shot.headers, agents: AGENTS },
      port: fresh.port,
      body: Buffer.from(shot.body).toString("base64"),
      everyMs: quick ? 2_000 : 5_000,
      lastsMs: quick ? 6_000 : 60_000,
    };
    memory.push([`HTTP/${version}`, ...(await weigh(crowd, fresh.pid))]);
    await fresh.stop();
  }

  return {
    title: "The collector's relay",
    about: [
      `The same request of ${round(shot.body.length)} bytes from wrk over HTTP/1.1 with kept connections, TLS on both sides, medians of ${rounds.rounds} rounds that take turns.`,
      "At a fixed rate each request counts from when it was due, which it is whatever was answered until then; as often as they can, the p99 follows from the rate.",
      `Beside it nginx ${nginx1.version} with one worker, before the same server. The server, what is in between and wrk share the processors.`,
    ],
    tables: [
      paced,
      table1,
      table2,
      {
        caption: `An installed collector that relays for ${round(AGENTS)} agents, each on a connection of its own`,
        head: ["agents speak", "before, MiB", "at most, MiB", "of it anonymous", "calls", "failed"],
        rows: memory,
      },
    ],
    notes: [
      "Goal: nginx's requests a second; at least half of them; p99 within 1 ms of its; less than 150 MB with 1,000 agents.",
    ],
  };
}

function makeBody(): Uint8Array {
  const series = Array.from({ length: 30 }, (_, index) => ({
    metric: `system.bench.metric${index}`,
    labels: { host: "web-1", device: `sda${index}` },
    points: [{ time: timestampNow(), value: index }],
  }));
  return toBinary(WriteMetricsRequestSchema, create(WriteMetricsRequestSchema, { series }));
}

async function startChild(file: string, ...parameters: string[]) {
  const script = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(script, parameters, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const [port] = (await once(child, "message")) as [number];
  return {
    port,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function compare(
  caption: string,
  options: { script: string; rounds: number; seconds: number },
  fronts: Front[],
): Promise<Table> {
  const outcomes = new Map<string, Outcome[]>();
  const of = (front: Front["name"], connections: number) =>
    outcomes.get(`${front} ${connections}`) ?? [];
  for (let turn = 0; turn <= options.rounds; turn += 1) {
    for (const connections of CONNECTIONS) {
      for (const { name, port, pid } of fronts) {
        const { script, seconds } = options;
        const outcome = await shoot(port, script, { connections, seconds, between: pid });
        if (outcome.failures > 0) throw new Error(`${name}: ${outcome.failures} requests failed`);
        // The first round warms up.
        if (turn > 0) outcomes.set(`${name} ${connections}`, [...of(name, connections), outcome]);
      }
    }
  }
  const rows = CONNECTIONS.flatMap((connections) =>
    fronts.map(({ name }) => {
      const mine = of(name, connections);
      const nginx = of("nginx", connections);
      const middle = (pick: (outcome: Outcome) => number) => median(mine.map(pick));
      const shares = mine.map((outcome, i) => outcome.perSecond / (nginx[i]?.perSecond ?? 0));
      return [
        String(connections),
        name,
        round(middle(({ perSecond }) => perSecond)),
        name === "collector" ? ratio(median(shares)) : "",
        middle(({ p50 }) => p50).toFixed(2),
        middle(({ p99 }) => p99).toFixed(2),
        name === "straight" ? "" : round(middle(({ cpu }) => cpu)),
      ];
    }),
  );
  const head = ["connections", "way", "requests/s", "of nginx", "p50 ms", "p99 ms", "CPU µs each"];
  return { caption, head, rows };
}

async function weigh(crowd: Crowd, pid: number): Promise<string[]> {
  const mib = (kib: number) => round(kib / 1024);
  const before = await memoryOf(pid);
  let most = before;
  const child = fork(fileURLToPath(new URL("relay/agents.ts", import.meta.url)));
  const ended = once(child, "message");
  child.send(crowd);
  const watching = setInterval(async () => {
    const now = await memoryOf(pid);
    if (now.rss > most.rss) most = now;
  }, 500);
  const [{ calls, failures }] = (await ended) as [{ calls: number; failures: number }];
  clearInterval(watching);
  return [mib(before.rss), mib(most.rss), mib(most.anonymous), round(calls), round(failures)];
}

/** Resident memory in KiB, and how much of it is not of files. */
async function memoryOf(pid: number): Promise<{ rss: number; anonymous: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return { rss: read("VmRSS"), anonymous: read("RssAnon") };
}
