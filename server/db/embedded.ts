import { rmSync } from "node:fs";
import path from "node:path";
import { makeBackoff } from "../../lib/backoff.ts";
import { claimDirectory, DirectoryClaimed } from "../../lib/claim.ts";
import { systemClock as clock } from "../../lib/clock.ts";
import { DirectoryLocked, lockDirectory } from "../../lib/kernel-lock.ts";
import type { Log } from "../../lib/log.ts";
import { ensureCluster } from "./embedded/cluster.ts";
import {
  codeOf,
  EmbeddedDatabaseError,
  EmbeddedDatabaseInUse,
  messageOf,
} from "./embedded/error.ts";
import {
  type Connection,
  connectionTo,
  type Instance,
  startInstance,
} from "./embedded/instance.ts";
import { clearTheWay } from "./embedded/leftover.ts";
import { choosePlace, hasData, type Place, prepareSocketDirectory } from "./embedded/place.ts";
import { makePassable } from "./embedded/user.ts";

export { EmbeddedDatabaseError };

const SYSTEM_DIRECTORY = "/var/lib/lumetry";

/**
 * A PostgreSQL that this process runs. It is started again when it ends by itself, so clients that
 * reconnect (a pg.Pool that listens to "error") live on. It does not keep this process from ending.
 */
export interface EmbeddedDatabase extends AsyncDisposable {
  readonly connection: Connection;
}

/**
 * Starts the PostgreSQL whose data is in `directory`, making both if need be, and settles once it
 * takes connections. Throws an EmbeddedDatabaseError, worded for a person, when it cannot. The
 * signal gives up the start; a database that was started is stopped by disposing of it.
 */
export async function startEmbeddedDatabase(options: {
  directory: string;
  log: Log;
  signal?: AbortSignal | undefined;
  /** Where root keeps what an unprivileged user could not reach elsewhere. */
  systemDirectory?: string;
}): Promise<EmbeddedDatabase> {
  const { log, signal, systemDirectory = SYSTEM_DIRECTORY } = options;
  signal?.throwIfAborted();
  const { directory, claim } = claimDatabase(options.directory);
  await using held = new AsyncDisposableStack();
  held.use(claim);
  held.use(await lockAgainstContainers(directory));
  const place = await choosePlace(directory, log, systemDirectory);
  await clearTheWay(place, log, clock);
  const password = await ensureCluster(place, log, signal);
  const server = await keepRunning(place, password, log, signal);
  const owned = held.move();
  const close = async () => {
    await server[Symbol.asyncDispose]();
    await owned.disposeAsync();
  };
  let closing: Promise<void> | undefined;
  return {
    connection: connectionTo(place, password),
    async [Symbol.asyncDispose]() {
      closing ??= close();
      await closing;
    },
  };
}

/**
 * The database of a directory for a command beside the server: the one that the server runs, or
 * else one that is started for as long as it is needed. Never makes a new one.
 */
export async function reachEmbeddedDatabase(options: {
  directory: string;
  log: Log;
}): Promise<EmbeddedDatabase> {
  const directory = path.resolve(options.directory);
  if (!hasData(directory)) {
    throw new EmbeddedDatabaseError(
      `There is no database in ${directory}; name the server's directory with --data-dir, or its database with --database-url.`,
    );
  }
  try {
    return await startEmbeddedDatabase(options);
  } catch (error) {
    if (!(error instanceof EmbeddedDatabaseInUse)) throw error;
    const place = await choosePlace(directory, options.log, SYSTEM_DIRECTORY);
    const password = await ensureCluster(place, options.log, undefined);
    return { connection: connectionTo(place, password), [Symbol.asyncDispose]: async () => {} };
  }
}

/** Process ids tell nothing about another container on the same volume; the kernel's lock does. */
async function lockAgainstContainers(directory: string): Promise<AsyncDisposable> {
  try {
    return await lockDirectory(path.join(directory, "lock"));
  } catch (error) {
    if (!(error instanceof DirectoryLocked)) throw error;
    throw new EmbeddedDatabaseError(
      `The data directory ${directory} is in use by a server in another container; stop it, or start this one with another --data-dir.`,
    );
  }
}

function claimDatabase(wanted: string): { directory: string; claim: Disposable } {
  try {
    const directory = makePassable(path.resolve(wanted));
    return { directory, claim: claimDirectory(directory) };
  } catch (error) {
    if (error instanceof DirectoryClaimed) {
      throw new EmbeddedDatabaseInUse(
        `The data directory ${wanted} is in use by Lumetry server process ${error.pid} since ${error.since.toISOString()}; stop it, or start this one with another --data-dir.`,
      );
    }
    if (codeOf(error) === undefined) throw error;
    throw new EmbeddedDatabaseError(
      `The data directory ${wanted} cannot be written: ${messageOf(error)}. Give it to the user that runs Lumetry, or choose another with --data-dir.`,
    );
  }
}

/** Runs PostgreSQL until disposed of; only the first start can fail. */
async function keepRunning(
  place: Place,
  password: string,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<AsyncDisposable> {
  const stopping = new AbortController();
  const start = async (giveUp: AbortSignal): Promise<Instance> => {
    prepareSocketDirectory(place);
    const instance = await startInstance(place, password, log, giveUp);
    log.info({ pid: instance.pid, data: place.data }, "PostgreSQL is ready");
    return instance;
  };
  const startFirst = async (giveUp: AbortSignal) => {
    try {
      return await start(giveUp);
    } catch (error) {
      // One that a killed server had only just begun takes its lock after we looked for it.
      if (!(await clearTheWay(place, log, clock))) throw error;
      return start(giveUp);
    }
  };
  let current: Instance | undefined = await startFirst(signal ?? stopping.signal);

  const restart = async (backoff: ReturnType<typeof makeBackoff>) => {
    while (!stopping.signal.aborted) {
      await clock.sleep(backoff.next(), stopping.signal);
      try {
        await clearTheWay(place, log, clock);
        const instance = await start(stopping.signal);
        if (!stopping.signal.aborted) return instance;
        await instance.stop();
      } catch (error) {
        if (!stopping.signal.aborted) log.error({ err: error }, "PostgreSQL did not start again");
      }
    }
    return undefined;
  };
  const watch = async () => {
    const backoff = makeBackoff(500, 30_000);
    while (current) {
      const since = clock.monotonic();
      const outcome = await current.ended;
      if (stopping.signal.aborted) return;
      log.error(
        { tail: current.lines.tail },
        `PostgreSQL ${outcome} by itself; it is started again`,
      );
      current = undefined;
      if (clock.monotonic() - since > 60_000) backoff.reset();
      current = await restart(backoff);
    }
  };
  const watching = watch();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await current?.stop();
      await watching;
      rmSync(place.socketDirectory, { recursive: true, force: true });
    },
  };
}
