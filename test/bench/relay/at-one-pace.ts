import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { median, type Table } from "../report.ts";
import type { Front } from "./front.ts";
import { cpuOf, type Shot } from "./load.ts";
import type { Pace, Paced } from "./paced.ts";

const CONNECTIONS = [8, 64, 1_000];
const PER_SECOND = 500;

interface Outcome {
  p50: number;
  p99: number;
  /** Microseconds of processor time that the process in between took for each request. */
  cpu: number;
}

/** What agents see: all ways are asked equally often, which none of them is busy with. */
export async function compareAtOnePace(
  caption: string,
  options: { shot: Shot; ca: string; rounds: number; seconds: number },
  fronts: Front[],
): Promise<Table> {
  const { rounds, seconds, ca } = options;
  const request = encode(options.shot).toString("base64");
  const outcomes = new Map<string, Outcome[]>();
  const of = (name: Front["name"], connections: number) =>
    outcomes.get(`${name} ${connections}`) ?? [];
  for (let turn = 0; turn <= rounds; turn += 1) {
    for (const connections of CONNECTIONS) {
      for (const { name, port, pid, ca: own = ca } of fronts) {
        const pace = { port, ca: own, request, connections, perSecond: PER_SECOND, seconds };
        const outcome = await run(pace, pid);
        // The first round warms up.
        if (turn > 0) outcomes.set(`${name} ${connections}`, [...of(name, connections), outcome]);
      }
    }
  }
  const rows = CONNECTIONS.flatMap((connections) =>
    fronts.map(({ name }) => {
      const mine = of(name, connections);
      const nginx = of("nginx", connections);
      const beyond = mine.map(({ p99 }, turn) => p99 - (nginx[turn]?.p99 ?? 0));
      return [
        String(connections),
        name,
        median(mine.map(({ p50 }) => p50)).toFixed(2),
        median(mine.map(({ p99 }) => p99)).toFixed(2),
        name === "collector" ? median(beyond).toFixed(2) : "",
        name === "straight" ? "" : median(mine.map(({ cpu }) => cpu)).toFixed(0),
      ];
    }),
  );
  const head = ["connections", "way", "p50 ms", "p99 ms", "beyond nginx's, ms", "CPU µs each"];
  return { caption: `${caption}, ${PER_SECOND} requests a second`, head, rows };
}

function encode({ path, headers, body }: Shot): Buffer {
  const lines = [`POST ${path} HTTP/1.1`, "host: localhost"];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  lines.push(`content-length: ${body.length}`);
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]);
}

async function run(pace: Pace, between: number | undefined): Promise<Outcome> {
  const child = fork(fileURLToPath(new URL("paced.ts", import.meta.url)));
  child.send(pace);
  await once(child, "message");
  const before = cpuOf(between);
  const [{ times, failures }] = (await once(child, "message")) as [Paced];
  const cpu = cpuOf(between) - before;
  if (failures > 0) throw new Error(`${failures} requests failed at one pace`);
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), cpu: cpu / times.length };
}
