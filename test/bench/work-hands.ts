import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../lib/clock.ts";
import { type Hands, startHands } from "../support/hands.ts";
import type { BenchOptions } from "./main.ts";
import type { Section } from "./report.ts";
import type { SceneAnswer, SceneOrder, SceneQuestion } from "./work-scene.ts";

const MIB = 2 ** 20;

type Told<Name extends SceneAnswer["told"]> = Extract<SceneAnswer, { told: Name }>;

/** A collector's hands in this process, and everything that they deal with in another. */
export interface Scene extends AsyncDisposable {
  hands: Hands;
  ask<Name extends SceneQuestion["ask"]>(question: Name): Promise<Told<Name>>;
}

export async function startScene(order: SceneOrder): Promise<Scene> {
  const child = fork(fileURLToPath(new URL("work-scene.ts", import.meta.url)));
  const hear = async <Name extends SceneAnswer["told"]>(): Promise<Told<Name>> => {
    const [answer] = await once(child, "message");
    return answer;
  };
  child.send(order);
  const { url } = await hear<"ready">();
  const hands = await startHands(url, systemClock, { pollSlots: 128 });
  return {
    hands,
    ask<Name extends SceneQuestion["ask"]>(question: Name) {
      const answer = hear<Name>();
      child.send({ ask: question });
      return answer;
    },
    async [Symbol.asyncDispose]() {
      await hands[Symbol.asyncDispose]();
      child.kill();
    },
  };
}

const SOURCES = 10_000;
const INTERVAL_MS = 30_000;

/** What 10,000 sources every 30 s cost one collector, everything that it deals with in another process. */
export async function benchWorkHands({ quick }: BenchOptions): Promise<Section> {
  await using scene = await startScene({
    sources: SOURCES,
    intervalMs: INTERVAL_MS,
    timeoutMs: 10_000,
    badEvery: 0,
  });
  const { work } = scene.hands;
  await wait(INTERVAL_MS + 5_000);
  await scene.ask("report");
  const before = process.cpuUsage();
  const begun = performance.now();
  const { started, skipped } = work.status({ reset: true }).polls;
  await wait(quick ? INTERVAL_MS : 3 * INTERVAL_MS);
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - begun) / 1000;
  const { polls } = work.status();
  const report = await scene.ask("report");
  const due = (SOURCES * 1000) / INTERVAL_MS;
  return {
    title: "A collector's hands",
    about: [
      "10,000 sources, each an exposition of ten samples over HTTP, polled every 30 s by one collector: claimed, connected to, read, told.",
      "The server's side of the claims and the sources are in another process on the same machine.",
    ],
    tables: [
      {
        head: ["what", "measured", "beside it"],
        rows: [
          ["CPU", `${((user + system) / 1e6 / seconds).toFixed(2)} cores`, "goal: half a core"],
          [
            "polls a second",
            ((polls.started - started) / seconds).toFixed(0),
            `due: ${due.toFixed(0)}`,
          ],
          ["polls skipped", String(polls.skipped - skipped), "goal: 0"],
          ["latest start of a poll", `${polls.latenessMs.toFixed(0)} ms`, ""],
          ["intervals off by, p99", `${(report.p99 * 100).toFixed(1)} %`, "goal: below 10 %"],
          ["resident memory", `${(process.memoryUsage().rss / MIB).toFixed(0)} MiB`, ""],
        ],
      },
    ],
    notes: [],
  };
}
