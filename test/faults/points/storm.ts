import { setTimeout as wait } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import type { ServerProcess } from "../../support/server-process.ts";
import type { Postgres } from "./postgres.ts";

/** How often each thing happened. */
export type Toll = Map<string, number>;

/** Stops the session that is just writing to the log, in the midst of its transaction, for a while. */
export async function holdUpWriter(server: ServerProcess, ms: number): Promise<boolean> {
  const [writer] = await server.sql<{ pid: number }>(
    `select pid from pg_stat_activity
     where datname = current_database() and application_name = 'lumetry'
       and backend_xid is not null and query like '%insert into segments%' limit 1`,
  );
  if (!writer) return false;
  try {
    process.kill(writer.pid, "SIGSTOP");
    await wait(ms);
    return true;
  } finally {
    process.kill(writer.pid, "SIGCONT");
  }
}

/** Kills servers and PostgreSQL at random, so many in all, while others go on. */
export async function storm(
  servers: readonly ServerProcess[],
  postgres: Postgres,
  options: { random: () => number; kills: number; report?: (words: string) => void },
): Promise<Toll> {
  const { random, kills, report = () => {} } = options;
  const toll: Toll = new Map();
  const between = (least: number, most: number) => least + random() * (most - least);
  const any = () => servers[Math.floor(random() * servers.length)] as ServerProcess;

  const killServer = async () => {
    const server = any();
    await server.kill();
    await wait(between(0, 300));
    await server.start();
  };
  /** One kill is more than the other can bear alone: nobody is left to answer. */
  const killAllServers = async () => {
    await Promise.all(servers.map((server) => server.kill()));
    await Promise.all(servers.map((server) => server.start()));
  };
  const killDatabase = async () => {
    await postgres.kill();
  };
  const endSessions = async () => {
    await any().sql(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'lumetry'`,
    );
  };
  const holdUp = async () => {
    const isHeld = () => holdUpWriter(any(), between(50, 400));
    await eventually("a writer was held up", isHeld, 2_000).catch(() => {});
  };

  const deadly: [string, () => Promise<void>][] = [
    ["server: kill -9", killServer],
    ["PostgreSQL: kill -9", killDatabase],
    ["server: kill -9", killServer],
    ["both servers: kill -9", killAllServers],
  ];
  const others: [string, () => Promise<void>][] = [
    ["PostgreSQL: sessions ended", endSessions],
    ["PostgreSQL: a writer held up", holdUp],
  ];
  for (let kill = 0; kill < kills; kill += 1) {
    const shuffled = random() < 0.5 ? others : others.toReversed();
    const turn = [...(random() < 0.5 ? shuffled : []), deadly[kill % deadly.length]];
    for (const happening of turn) {
      if (!happening) continue;
      const [name, event] = happening;
      await wait(between(100, 700));
      report(name);
      // What is asked of a database that is just away need not be asked again.
      await event().catch((error: Error) => report(`${name}: ${error.message}`));
      toll.set(name, (toll.get(name) ?? 0) + 1);
    }
  }
  return toll;
}
