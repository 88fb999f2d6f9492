import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Log, silentLog } from "../../../lib/log.ts";
import { startEmbeddedDatabase } from "../../../server/db/embedded.ts";
import { urlOf } from "../../support/database.ts";
import { eventually } from "../../support/eventually.ts";

/** A PostgreSQL of its own that can be killed, and comes back by itself. */
export interface Postgres extends AsyncDisposable {
  url: string;
  /** kill -9 of its first process, and waits until it takes connections again. */
  kill(): Promise<void>;
}

export async function startPostgres(): Promise<Postgres> {
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-faults-"));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const pids: number[] = [];
  const log: Log = {
    ...silentLog,
    info: (fields) => "pid" in fields && pids.push(Number(fields.pid)),
  };
  const database = started.use(await startEmbeddedDatabase({ directory, log }));
  const stack = started.move();
  return {
    url: urlOf(database.connection),
    async kill() {
      const before = pids.length;
      process.kill(pids.at(-1) ?? 0, "SIGKILL");
      await eventually("PostgreSQL is back", () => pids.length > before, 120_000);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
