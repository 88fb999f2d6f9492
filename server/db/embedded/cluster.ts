import { randomBytes, randomUUID } from "node:crypto";
import { chown, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Log } from "../../../lib/log.ts";
import { codeOf, EmbeddedDatabaseError } from "./error.ts";
import { LINE_PREFIX } from "./log-lines.ts";
import { type Place, PORT } from "./place.ts";
import { ended, run } from "./run.ts";

export const USER = "lumetry";

/**
 * Where a new database starts from: a small machine that mostly takes in points. They are written
 * to postgresql.conf, where the owner of a larger machine may change them. The binaries know no
 * compression but pglz.
 */
const defaults = {
  shared_buffers: "128MB",
  max_connections: "100",
  wal_compression: "pglz",
  wal_buffers: "16MB",
  min_wal_size: "256MB",
  max_wal_size: "2GB",
  checkpoint_timeout: "10min",
  random_page_cost: "1.1",
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
};

/** Settings that hold whatever postgresql.conf says. */
export function fixedSettings(place: Place): string[] {
  const settings = {
    listen_addresses: "",
    port: `${PORT}`,
    unix_socket_directories: `"${place.socketDirectory.replaceAll('"', '""')}"`,
    unix_socket_permissions: "0700",
    fsync: "on",
    full_page_writes: "on",
    logging_collector: "off",
    log_destination: "stderr",
    log_line_prefix: LINE_PREFIX,
    log_min_messages: "warning",
    log_min_error_statement: "panic",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/**
 * Creates the data directory unless it exists, and returns the database's password. A data
 * directory is made under another name and renamed when it is whole, so that what a kill in the
 * middle leaves is swept away by the next start.
 */
export async function ensureCluster(
  place: Place,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<string> {
  for (const name of await readdir(place.home)) {
    if (!name.startsWith("initdb-")) continue;
    // The initdb of a killed server may still be writing; then the start after this one sweeps.
    await rm(path.join(place.home, name), { recursive: true, force: true }).catch((error) =>
      log.debug({ err: error }, `${name} could not be removed`),
    );
  }
  const dataVersion = await readText(path.join(place.data, "PG_VERSION"));
  const password = await readText(place.passwordFile);
  if (dataVersion === undefined) {
    const chosen = password ?? (await makePassword(place));
    await initialise(place, chosen, log, signal);
    return chosen;
  }
  const [major] = place.binaries.version.split(".");
  if (dataVersion !== major) {
    throw new EmbeddedDatabaseError(
      `The database in ${place.data} was made by PostgreSQL ${dataVersion} and this Lumetry brings ${major}: start the Lumetry that made it, or start this one with another --data-dir.`,
    );
  }
  if (password === undefined) {
    throw new EmbeddedDatabaseError(
      `${place.passwordFile} is missing, and without it the database in ${place.data} cannot be opened: put the file back from a backup.`,
    );
  }
  return password;
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    if (codeOf(error) !== "EACCES") throw error;
    throw new EmbeddedDatabaseError(
      `${file} may not be read: the database was made by another user; start Lumetry as that user or as root.`,
    );
  }
}

async function makePassword(place: Place): Promise<string> {
  const password = randomBytes(24).toString("base64url");
  const draft = `${place.passwordFile}.${randomUUID()}`;
  await writeFile(draft, password, { mode: 0o600, flush: true });
  await rename(draft, place.passwordFile);
  await sync(place.home);
  return password;
}

async function initialise(
  place: Place,
  password: string,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<void> {
  const draft = await makeDraft(place, password);
  try {
    const args = [
      ["-D", path.join(draft, "data"), "-U", USER, "--pwfile", path.join(draft, "password")],
      ["--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--no-instructions"],
      ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
      Object.entries(defaults).flatMap(([name, value]) => ["--set", `${name}=${value}`]),
    ].flat();
    let output = "";
    const child = await run(place, "initdb", args, (chunk) => {
      output = (output + chunk).slice(-4096);
    });
    const interrupt = () => child.kill("SIGINT");
    signal?.addEventListener("abort", interrupt);
    if (signal?.aborted) interrupt();
    const outcome = await ended(child);
    signal?.removeEventListener("abort", interrupt);
    signal?.throwIfAborted();
    if (child.exitCode !== 0) {
      throw new EmbeddedDatabaseError(
        `A new database could not be made in ${place.home}: initdb ${outcome}.\n${output.trim()}`,
      );
    }
    await rename(path.join(draft, "data"), place.data);
    await sync(place.home);
    log.info({ data: place.data }, "a new database was made");
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** A folder of the user's that holds an empty data folder and the password for initdb to read. */
async function makeDraft({ home, user }: Place, password: string): Promise<string> {
  const draft = path.join(home, `initdb-${randomUUID()}`);
  const data = path.join(draft, "data");
  const file = path.join(draft, "password");
  await mkdir(draft, { mode: 0o700 });
  await mkdir(data, { mode: 0o700 });
  await writeFile(file, password, { mode: 0o600 });
  // Outermost last: nobody else may enter while root is still at work in it.
  if (user) for (const each of [data, file, draft]) await chown(each, user.uid, user.gid);
  return draft;
}

/** Makes a rename in the folder outlast a power cut. */
async function sync(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
