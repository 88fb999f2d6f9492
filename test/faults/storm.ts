import { setTimeout as wait } from "node:timers/promises";
import type { AnyInstallation } from "../support/edge-installation.ts";
import { eventually } from "../support/eventually.ts";
import type { AnyServer } from "../support/server.ts";
import type { ServerProcess } from "../support/server-process.ts";
import type { Subject } from "./subject.ts";

export interface StormOptions {
  /** Between 0 and 1, from a seed. */
  random: () => number;
  /** Kills of the collector before it ends, and the least time that it takes. */
  kills: number;
  leastMs: number;
  report?: (words: string) => void;
}

/** How often each thing happened. */
export type Toll = Map<string, number>;

/** Waits until the server has stored one more batch of the subject; gives up after a while. */
export async function nextCommit(
  { installation }: { installation: AnyInstallation },
  server: AnyServer,
): Promise<boolean> {
  const senderId = await installation.edgeId();
  const count = async () => {
    const [row] = await server.sql<{ count: number }>(
      "select count(*)::int from batches where sender_id = $1",
      [senderId],
    );
    return row?.count ?? 0;
  };
  const before = await count();
  return eventually("a batch is stored", async () => (await count()) > before, 3_000).catch(
    () => false,
  );
}

/** An upload whose outcome its sender cannot know, and then attempts that certainly arrive nowhere. */
export async function refuseBeforeAnswer(
  subject: Subject,
  server: ServerProcess,
  forMs: number,
): Promise<void> {
  const { proxy } = subject;
  await proxy.withhold();
  await nextCommit(subject, server);
  await proxy.refuse();
  await wait(forMs);
  await proxy.pass();
}

/** Kills the collector again and again while the server and the way to it suffer as well. */
export async function storm(
  subject: Subject,
  server: ServerProcess,
  options: StormOptions,
): Promise<Toll> {
  const { random, kills, leastMs, report = () => {} } = options;
  const { proxy } = subject;
  const toll: Toll = new Map();
  const begun = performance.now();
  let isOver = false;

  const happen = async (name: string, event: () => Promise<void>) => {
    report(name);
    await event();
    toll.set(name, (toll.get(name) ?? 0) + 1);
  };
  const between = (least: number, most: number) => least + random() * (most - least);

  const withCollector: Record<string, () => Promise<void>> = {
    "collector: kill -9": async () => {
      await subject.kill();
      subject.restart();
    },
    "collector: kill -9 before the answer to an upload": async () => {
      await proxy.withhold();
      await nextCommit(subject, server);
      await subject.kill();
      proxy.cut();
      await proxy.pass();
      subject.restart();
    },
  };
  const withServer: Record<string, () => Promise<void>> = {
    "server: stopped for a while": async () => {
      await server.stop();
      await proxy.refuse();
      await wait(between(100, 1_000));
      await server.start();
      await proxy.pass();
    },
    "server: kill -9": async () => {
      await server.kill();
      await wait(between(0, 300));
      await server.start();
    },
    "server: kill -9 between commit and answer": async () => {
      await proxy.withhold();
      await nextCommit(subject, server);
      await server.kill();
      proxy.cut();
      await proxy.pass();
      await server.start();
    },
    "database: connections ended": async () => {
      await server.sql(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name <> 'test'`,
      );
    },
    "network: connections cut": async () => proxy.cut(),
    "network: refused before the answer to an upload": async () =>
      refuseBeforeAnswer(subject, server, between(300, 1_500)),
    "network: silent for a while": async () => {
      await proxy.hang();
      await wait(between(100, 600));
      await proxy.pass();
    },
  };

  /** Each event once in an order of chance, then again in another. */
  async function* shuffled(events: Record<string, () => Promise<void>>) {
    for (;;) {
      const order = Object.entries(events).map((entry) => ({ entry, place: random() }));
      for (const { entry } of order.sort((a, b) => a.place - b.place)) yield entry;
    }
  }

  const killing = async () => {
    for await (const [name, event] of shuffled(withCollector)) {
      if (subject.kills >= kills && performance.now() - begun >= leastMs) break;
      await wait(between(300, 1_000));
      await happen(name, event);
    }
    isOver = true;
  };
  const troubling = async () => {
    for await (const [name, event] of shuffled(withServer)) {
      if (isOver) break;
      await wait(between(100, 800));
      await happen(name, event);
    }
  };
  await Promise.all([killing(), troubling()]);
  return toll;
}
