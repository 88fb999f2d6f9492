/** In a process of its own: a server's side of claims, and the sources that are polled. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { systemClock } from "../../lib/clock.ts";
import { startHttpTarget } from "../support/target.ts";
import { startWorkServer } from "../support/work-server.ts";

export interface SceneOrder {
  sources: number;
  intervalMs: number;
  timeoutMs: number;
  /** Every so manieth hangs, drips or redirects forever; none when zero. */
  badEvery: number;
}

/** What is asked of the scene while it runs, and what it answers. */
export type SceneQuestion = { ask: "test" } | { ask: "report" };
export type SceneAnswer =
  | { told: "ready"; url: string }
  /** From the order to the first step that the collector told, in milliseconds. */
  | { told: "test"; startedMs: number; doneMs: number }
  | {
      told: "report";
      /** Polls of good sources that came. */
      polls: number;
      /** How far their intervals were off, as parts of the interval. */
      worst: number;
      p99: number;
      accepted: number;
      stale: number;
    };

const BODY = Array.from(
  { length: 10 },
  (_, index) => `app_queue_depth{queue="queue-${index}",shard="a"} ${index * 1.5}\n`,
).join("");

const KINDS = ["hang", "drip", "loop"] as const;

async function run(order: SceneOrder): Promise<void> {
  const { sources, intervalMs, timeoutMs, badEvery } = order;
  const arrivals: number[][] = Array.from({ length: sources }, () => []);
  const target = await startHttpTarget((request, response) => {
    const [, kind = "", index = ""] = (request.url ?? "").split("/");
    if (kind === "good") {
      arrivals[Number(index)]?.push(performance.now());
      response.setHeader("content-type", "text/plain; version=0.0.4").end(BODY);
    } else if (kind === "drip") {
      response.writeHead(200);
      const dripping = setInterval(() => response.write("x"), 500);
      response.on("close", () => clearInterval(dripping));
    } else if (kind === "loop") response.writeHead(302, { location: request.url ?? "" }).end();
  });
  const server = await startWorkServer(systemClock);
  const isBad = (index: number) => badEvery > 0 && index % badEvery === 0;
  server.assign(
    Array.from({ length: sources }, (_, index) => {
      const kind = isBad(index) ? KINDS[(index / badEvery) % KINDS.length] : "good";
      const http = { url: `${target.url}/${kind}/${index}`, mostRedirects: 10 };
      return {
        sourceId: `source-${index}`,
        interval: durationFromMs(intervalMs),
        phase: durationFromMs(Math.floor((index * intervalMs) / sources)),
        timeout: durationFromMs(timeoutMs),
        settings: { kind: { case: "prometheusScrape" as const, value: { http } } },
      };
    }),
  );
  const say = (answer: SceneAnswer) => process.send?.(answer);
  process.on("message", async (question: SceneQuestion) => {
    if (question.ask === "test") {
      const begun = performance.now();
      const before = server.progress.length;
      const http = { url: `${target.url}/good/-1` };
      const kind = { case: "prometheusScrape" as const, value: { http } };
      const id = server.order({ case: "test", value: { settings: { kind } } });
      let startedMs = 0;
      while (!server.outcomes.has(id)) {
        if (startedMs === 0 && server.progress.length > before)
          startedMs = performance.now() - begun;
        await systemClock.sleep(5);
      }
      const doneMs = performance.now() - begun;
      say({ told: "test", startedMs: startedMs || doneMs, doneMs });
      return;
    }
    const off = arrivals
      .flatMap((times) =>
        times.slice(1).map((time, index) => {
          const gap = time - (times[index] ?? 0);
          return Math.abs(gap - intervalMs) / intervalMs;
        }),
      )
      .sort((a, b) => a - b);
    say({
      told: "report",
      polls: off.length,
      worst: off.at(-1) ?? 0,
      p99: off[Math.floor(off.length * 0.99)] ?? 0,
      accepted: server.counts.reports - server.counts.stale,
      stale: server.counts.stale,
    });
    for (const times of arrivals) times.length = 0;
  });
  say({ told: "ready", url: server.url });
}

process.once("message", (order: SceneOrder) => void run(order));
