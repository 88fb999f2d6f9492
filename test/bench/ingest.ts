import { mkdtemp, readdir, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { migratedDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import type { Shape } from "./bodies.ts";
import { cpuSince, cpuTimes } from "./cpu.ts";
import type { BenchOptions } from "./main.ts";
import { debianVersion, requirePrograms, startPrometheus, startVictoriaMetrics } from "./peers.ts";
import { summarizeProfiles } from "./profile.ts";
import { median, ratio, round, type Section } from "./report.ts";
import { type System, startLumetry, startPlain, startServers, systemOf } from "./systems.ts";
import { type Outcome, runWrk, writeRequests } from "./wrk.ts";

const SHAPES: (Shape & { templates: number })[] = [
  { series: 30, pointsEach: 1, templates: 256 },
  { series: 500, pointsEach: 10, templates: 128 },
];
const CONNECTIONS = [1, 8, 32, 64];
const WARM_SECONDS = 20;

interface Measured extends Outcome {
  /** Processor time a request, without that of the load. */
  micros: number;
}

export async function benchIngest({ quick }: BenchOptions): Promise<Section> {
  requirePrograms("wrk", "prometheus", "victoria-metrics");
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-bench-ingest-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const processes = availableParallelism();
  const rounds = quick ? 1 : 3;
  const seconds = quick ? 1 : 3;
  const results = new Map<string, Measured[]>();

  /** In turns, each warmed up before. */
  const measure = async (systems: readonly System[]) => {
    for (const [place, shape] of SHAPES.entries()) {
      const warmSeconds = quick ? 2 : WARM_SECONDS;
      for (const system of systems) {
        await prepare(system, shape, place * 1000, directory, warmSeconds);
      }
      for (const connections of CONNECTIONS) {
        for (let turn = 0; turn < rounds; turn += 1) {
          for (const system of systems) {
            const key = keyOf(system, shape, connections);
            const outcome = await load(system, shape, connections, seconds);
            results.set(key, [...(results.get(key) ?? []), outcome]);
          }
        }
      }
    }
  };

  // First and apart: servers that are not measured have their work, too.
  const tls = await measureTls(processes, measure);
  const database = stack.use(await migratedDatabase());
  const clear = await startLumetry(stack, database.url, { processes, tls: false });
  const peers = [stack.use(await startPrometheus()), stack.use(await startVictoriaMetrics())];
  const [prometheus, victoria] = peers.map(systemOf) as [System, System];
  const plain = await startPlain(stack, processes);
  await measure([clear, prometheus, victoria, plain]);
  const found: Found = (system, shape, connections) => {
    const outcomes = results.get(keyOf(system, shape, connections)) ?? [];
    return {
      rate: median(outcomes.map(({ requests, seconds: took }) => requests / took)),
      p99: median(outcomes.map(({ p99 }) => p99)),
      micros: median(outcomes.map(({ micros }) => micros)),
    };
  };
  return {
    title: "Ingestion",
    about: [
      `${processes} server processes on one embedded PostgreSQL 18, every answer after fsync; beside them one process each of ` +
        `${peers.map(({ name, version }) => `${name} ${version}`).join(" and ")}, which do not fsync before they answer, by their remote write (snappy, one literal: cheap to ` +
        "read), and Node's own HTTP server, which reads a body, answers and does nothing else.",
      `The load is wrk ${debianVersion("wrk")} with two threads, over HTTP/1.1; ids and times advance with each request, and the same machine carries it all.`,
      `Each has taken this load for ${WARM_SECONDS} s from 32 connections before it is measured; what is compiled as it runs is slower until then.`,
      `Requests a second: medians of ${rounds} rounds of ${seconds} s that take turns. In cleartext, but for the column with TLS, which is of other servers, measured before these have started, without the turns of others in which readers of the log catch up.`,
    ],
    tables: [
      ...SHAPES.map((shape) => tableOf(shape, found, { clear, tls, prometheus, victoria, plain })),
      costsOf(found, [clear, tls, prometheus, victoria, plain]),
    ],
    notes: [
      `One connection makes ${round(await commitsPerSecond(database.url))} rows durable a second, one after the other: the floor of an answer's time.`,
      ...(await explain(database.url, clear, directory, quick ? 2 : 5)),
    ],
  };
}

/** With a database of their own, which ends with them. */
async function measureTls(
  processes: number,
  measure: (systems: readonly System[]) => Promise<void>,
): Promise<System> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await migratedDatabase());
  const system = await startLumetry(stack, database.url, { processes, tls: true });
  await measure([system]);
  return system;
}

const keyOf = ({ name }: System, shape: Shape, connections: number) =>
  `${name} ${shape.series} ${connections}`;

type Found = (
  system: System,
  shape: Shape,
  connections: number,
) => { rate: number; p99: number; micros: number };

function tableOf(
  shape: Shape,
  found: Found,
  systems: Record<"clear" | "tls" | "prometheus" | "victoria" | "plain", System>,
) {
  const points = shape.series * shape.pointsEach;
  const { clear, tls, prometheus, victoria, plain } = systems;
  return {
    caption: `${round(points)} points a request`,
    head: [
      "connections",
      "Lumetry",
      "p99 ms",
      "points/s",
      "with TLS",
      "Prometheus",
      "VictoriaMetrics",
      "Node's HTTP",
      "to Prometheus",
      "to VictoriaMetrics",
    ],
    rows: CONNECTIONS.map((connections) => {
      const rate = (system: System) => found(system, shape, connections).rate;
      return [
        String(connections),
        round(rate(clear)),
        found(clear, shape, connections).p99.toFixed(1),
        round(rate(clear) * points),
        ...[tls, prometheus, victoria, plain].map((system) => round(rate(system))),
        ratio(rate(clear) / rate(prometheus)),
        ratio(rate(clear) / rate(victoria)),
      ];
    }),
  };
}

/** What a request costs, which other work on the machine disturbs less than how soon it is answered. */
function costsOf(found: Found, systems: readonly System[]) {
  return {
    caption: "Processor time a request, µs, at 32 connections, databases included, the load not",
    head: ["points a request", ...systems.map(({ name }) => name)],
    rows: SHAPES.map((shape) => [
      round(shape.series * shape.pointsEach),
      ...systems.map((system) => round(found(system, shape, 32).micros)),
    ]),
  };
}

/** Every series has been seen once, and code has been compiled, before anything is measured. */
async function prepare(
  system: System,
  shape: Shape & { templates: number },
  firstHost: number,
  directory: string,
  warmSeconds: number,
): Promise<void> {
  const file = path.join(directory, `${system.name} ${shape.series}`);
  const templates = Array.from({ length: shape.templates }, (_, host) =>
    system.template(firstHost + host, shape),
  );
  await writeRequests(file, system.target, templates);
  system.files.set(shape, file);
  await load(system, shape, 32, warmSeconds);
}

/** Fails when a request was refused, or fewer points are stored than were answered for. */
async function load(
  system: System,
  shape: Shape & { templates: number },
  connections: number,
  seconds: number,
): Promise<Measured> {
  const { name, target, second, stored } = system;
  const before = (await stored?.()) ?? 0;
  const file = system.files.get(shape) ?? "";
  const began = await cpuTimes();
  const outcome = await runWrk(target, { file, connections, seconds, second });
  const used = (await cpuSince(began)).filter(([program]) => program !== "load");
  if (outcome.failures > 0) throw new Error(`${name}: ${outcome.failures} requests failed`);
  // One of the two threads may have sent them all.
  system.second += Math.ceil((2 * (outcome.requests + connections)) / shape.templates) + 1;
  const more = stored ? (await stored()) - before : Infinity;
  const answered = outcome.requests * shape.series * shape.pointsEach;
  if (more < answered) throw new Error(`${name} answered for ${answered} points and has ${more}`);
  const busy = used.reduce((sum, [, time]) => sum + time, 0);
  return { ...outcome, micros: (busy / outcome.requests) * 1e6 };
}

/** How often one connection can make one row durable. */
async function commitsPerSecond(databaseUrl: string): Promise<number> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    await client.query("create table if not exists bench_commits (n int)");
    const seconds = 2;
    const until = performance.now() + seconds * 1000;
    let commits = 0;
    for (; performance.now() < until; commits += 1) {
      await client.query({ name: "one", text: "insert into bench_commits values (1)" });
    }
    return commits / seconds;
  } finally {
    await client.end();
  }
}

/** Where the processors' time goes at 32 connections: by program, and within the servers. */
async function explain(
  databaseUrl: string,
  system: System,
  directory: string,
  seconds: number,
): Promise<string[]> {
  const notes: string[] = [];
  for (const shape of SHAPES) {
    const points = round(shape.series * shape.pointsEach);
    const before = await cpuTimes();
    await load(system, shape, 32, seconds);
    const used = await cpuSince(before);
    const all = used.reduce((sum, [, time]) => sum + time, 0);
    const shares = used.slice(0, 4).map(([name, time]) => `${name} ${percent(time / all)}`);
    notes.push(
      `${points} points, 32 connections: ${(all / seconds).toFixed(1)} processors were busy: ${shares.join(", ")}.`,
    );

    const profiles = await mkdtemp(path.join(directory, "profiles-"));
    await using profiled = await startServers(databaseUrl, system.target.ports.length, {
      tls: false,
      preload: ["../bench/profiler.ts"],
      environment: { BENCH_PROFILES: profiles },
    });
    const { servers } = profiled;
    const ports = servers.map(({ port }) => port);
    const copy = { ...system, target: { ...system.target, ports } };
    await load(copy, shape, 32, seconds);
    for (const { pid } of servers) process.kill(pid, "SIGUSR2");
    await load(copy, shape, 32, seconds);
    for (const { pid } of servers) process.kill(pid, "SIGUSR2");
    const isLeft = async () => (await readdir(profiles)).length === servers.length;
    await eventually("the servers have left their profiles", isLeft);
    system.second = copy.second;
    const { parts } = await summarizeProfiles(profiles);
    const told = parts.filter(([, share]) => share >= 0.02);
    notes.push(
      `${points} points: of the servers' time, ${told.map(([name, share]) => `${percent(share)} ${name}`).join(", ")}.`,
    );
  }
  return notes;
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
