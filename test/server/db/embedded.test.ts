import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import pg from "pg";
import { type Log, silentLog } from "../../../lib/log.ts";
import { processIdentity } from "../../../lib/process.ts";
import { runsAsRoot } from "../../../server/db/embedded/user.ts";
import {
  type EmbeddedDatabase,
  EmbeddedDatabaseError,
  startEmbeddedDatabase,
} from "../../../server/db/embedded.ts";

let root: string;
/** A directory with a database that was made and stopped, to be copied: making one takes a second. */
let made: string;
const children: ChildProcess[] = [];

test.before(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), "lumetry-embedded-"));
  await chmod(root, 0o711);
  made = path.join(root, "made");
  await using database = await startEmbeddedDatabase({ directory: made, log: silentLog });
  await ask(database, "create table kept (value text)");
  await ask(database, "insert into kept values ('before')");
});
test.after.always(async () => {
  for (const child of children) child.kill("SIGKILL");
  // What a killed child left running ends when its data is gone, at the latest.
  for (const pid of await runningBelow(root)) process.kill(pid, "SIGQUIT");
  while ((await runningBelow(root)).length > 0) await sleep(20);
  await rm(root, { recursive: true, force: true });
});

function copyOfMade(name: string = randomUUID()): string {
  const directory = path.join(root, name);
  execFileSync("cp", ["-a", made, directory]); // keeps the owners
  return directory;
}

async function ask(database: EmbeddedDatabase, statement: string): Promise<unknown> {
  const client = new pg.Client(database.connection);
  await client.connect();
  try {
    const { rows } = await client.query({ text: statement, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

async function postgresOf(directory: string): Promise<number> {
  const file = path.join(directory, "postgres", "data", "postmaster.pid");
  return Number.parseInt(await readFile(file, "utf8"), 10);
}

async function runningBelow(folder: string): Promise<number[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")),
  );
  return pids.filter((_, index) => commands[index]?.includes(`-D\0${folder}/`));
}

function forkOwner(directory: string): ChildProcess {
  const child = fork(new URL("../../support/embedded-owner.ts", import.meta.url), [directory]);
  children.push(child);
  return child;
}

/** What a forked owner says once it has started or failed to. */
async function saidBy(child: ChildProcess): Promise<{ error?: string; connection?: object }> {
  const [message] = await once(child, "message");
  return message;
}

function recordingLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const write = (fields: object, message: string) =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  return { log: { debug() {}, info: write, warn: write, error: write }, lines };
}

test("a database is made in a new directory, safe against power cuts and closed to others", async (t) => {
  const directory = path.join(root, "new", "deep");
  await using database = await startEmbeddedDatabase({ directory, log: silentLog });
  t.is(await ask(database, "select current_database()"), "lumetry");
  for (const [setting, value] of Object.entries({
    fsync: "on",
    full_page_writes: "on",
    data_checksums: "on",
    listen_addresses: "",
    server_encoding: "UTF8",
    TimeZone: "UTC",
    max_connections: "100",
  })) {
    t.is(await ask(database, `show ${setting}`), value, setting);
  }
  const password = path.join(directory, "postgres", "password");
  t.is((await stat(password)).mode & 0o777, 0o600);
  t.is((await stat(database.connection.host)).mode & 0o777, 0o700);
  const stranger = new pg.Client({ ...database.connection, password: "wrong" });
  await t.throwsAsync(stranger.connect(), { message: /password authentication failed/ });
});

test("what was stored is there after a restart, and nothing runs in between", async (t) => {
  const directory = copyOfMade();
  {
    await using database = await startEmbeddedDatabase({ directory, log: silentLog });
    t.is(await ask(database, "select value from kept"), "before");
    await ask(database, "update kept set value = 'after'");
    await database[Symbol.asyncDispose]();
  }
  t.deepEqual(await runningBelow(directory), []);
  await using database = await startEmbeddedDatabase({ directory, log: silentLog });
  t.is(await ask(database, "select value from kept"), "after");
});

test("PostgreSQL never runs as root", async (t) => {
  const directory = copyOfMade();
  await using _database = await startEmbeddedDatabase({ directory, log: silentLog });
  const status = await readFile(`/proc/${await postgresOf(directory)}/status`, "utf8");
  const uids = /^Uid:\t(.*)$/m.exec(status)?.[1]?.split("\t").map(Number) ?? [];
  const { uid } = await stat(path.join(directory, "postgres", "data"));
  t.deepEqual(uids, [uid, uid, uid, uid]);
  t.not(uid, 0);
  t.regex(status, /^Groups:\t[^0]*$/m);
});

test("a second server on the directory is refused, naming the first and what to do", async (t) => {
  const directory = copyOfMade();
  const first = forkOwner(directory);
  await saidBy(first);
  await t.throwsAsync(startEmbeddedDatabase({ directory, log: silentLog }), {
    instanceOf: EmbeddedDatabaseError,
    message: new RegExp(
      `data directory ${directory} is in use by Lumetry server process ${first.pid} since \\d{4}-.*--data-dir`,
    ),
  });
});

test("of two servers that start at once on a new directory, one runs", async (t) => {
  const directory = path.join(root, "contested");
  const said = await Promise.all([forkOwner(directory), forkOwner(directory)].map(saidBy));
  t.is(said.filter(({ connection }) => connection).length, 1);
  t.regex(said.find(({ error }) => error)?.error ?? "", /is in use by Lumetry server process/);
});

test("after kill -9 of the server the next one starts, without loss", async (t) => {
  const directory = copyOfMade();
  const owner = forkOwner(directory);
  const { connection } = await saidBy(owner);
  const client = new pg.Client(connection);
  client.on("error", () => {});
  await client.connect();
  await client.query("insert into kept values ('just before')");
  const left = await postgresOf(directory);
  owner.kill("SIGKILL");
  await once(owner, "exit");
  t.truthy(processIdentity(left), "PostgreSQL outlives kill -9");

  const { log, lines } = recordingLog();
  await using database = await startEmbeddedDatabase({ directory, log });
  t.is(processIdentity(left), undefined);
  t.not(await postgresOf(directory), left);
  t.true(lines.some((line) => line.includes("of a server that was killed")));
  t.is(await ask(database, "select count(*) from kept where value = 'just before'"), "1");
});

test("a server that exits without closing takes its PostgreSQL along", async (t) => {
  const directory = copyOfMade();
  const owner = forkOwner(directory);
  await saidBy(owner);
  const pid = await postgresOf(directory);
  owner.send("exit");
  await once(owner, "exit");
  while (processIdentity(pid)) await sleep(20);
  await using database = await startEmbeddedDatabase({ directory, log: silentLog });
  t.is(await ask(database, "select value from kept"), "before");
});

test("a PostgreSQL that dies is started again and a pool recovers by itself", async (t) => {
  const directory = copyOfMade();
  const { log, lines } = recordingLog();
  const readied = () => lines.filter((line) => line.includes("PostgreSQL is ready")).length;
  await using database = await startEmbeddedDatabase({ directory, log });
  const pool = new pg.Pool(database.connection);
  pool.on("error", () => {});
  try {
    await pool.query("insert into kept values ('committed')");
    for (const signal of ["SIGKILL", "SIGQUIT"] as const) {
      const before = await postgresOf(directory);
      const starts = readied();
      process.kill(before, signal);
      while (processIdentity(before)) await sleep(10);
      const query = "select count(*) from kept where value = 'committed'";
      const recovered = async () => {
        try {
          return await pool.query(query);
        } catch {
          await sleep(20);
          return recovered();
        }
      };
      t.is((await recovered()).rows[0].count, "1");
      t.not(await postgresOf(directory), before);
      // The pool may have been faster than the one who watches over the start.
      while (readied() === starts) await sleep(10);
    }
  } finally {
    await pool.end();
  }
  t.is(lines.filter((line) => line.includes("by itself; it is started again")).length, 2);
});

test("a kill while the database is being made does not stop the next start", async (t) => {
  const directory = path.join(root, "killed-young");
  const home = path.join(directory, "postgres");
  const drafts = async () =>
    (await readdir(home).catch(() => [])).filter((name) => name.startsWith("initdb-"));
  for (const sign of [".", "data/PG_VERSION", "data/base/1"]) {
    const seen = await drafts();
    const owner = forkOwner(directory);
    const isThatFar = async () =>
      (await drafts()).some(
        (name) => !seen.includes(name) && existsSync(path.join(home, name, sign)),
      );
    while (!(await isThatFar())) await sleep(1);
    owner.kill("SIGKILL");
    await once(owner, "exit");
    t.false(existsSync(path.join(home, "data")));
  }
  await using database = await startEmbeddedDatabase({ directory, log: silentLog });
  t.is(await ask(database, "select 1"), 1);
});

test("a lock file whose process id now belongs to something else does not stop a start", async (t) => {
  const directory = copyOfMade();
  const data = path.join(directory, "postgres", "data");
  const lock = [process.ppid, data, 1, 5432, "", "", ""].join("\n");
  await writeFile(path.join(data, "postmaster.pid"), lock);
  await using database = await startEmbeddedDatabase({ directory, log: silentLog });
  t.is(await ask(database, "select value from kept"), "before");
});

test("a long path is no obstacle: the socket goes to a private folder and is cleared away", async (t) => {
  const directory = copyOfMade("long".repeat(40));
  let socket: string;
  {
    await using database = await startEmbeddedDatabase({ directory, log: silentLog });
    socket = database.connection.host;
    t.false(socket.startsWith(directory));
    t.is((await stat(socket)).mode & 0o777, 0o700);
    t.is(await ask(database, "select value from kept"), "before");
  }
  t.false(existsSync(socket));
});

test("for root, data below a folder that is closed to others goes to the system's directory", async (t) => {
  if (!runsAsRoot()) return t.pass("without root everything stays in the directory");
  const closed = path.join(root, "closed");
  await mkdir(closed, { mode: 0o700 });
  const options = {
    directory: path.join(closed, "lumetry"),
    systemDirectory: path.join(root, "system"),
  };
  const { log, lines } = recordingLog();
  {
    await using database = await startEmbeddedDatabase({ ...options, log });
    t.true((await ask(database, "show data_directory"))?.toString().startsWith(`${root}/system/`));
    await ask(database, "create table elsewhere ()");
    t.is(lines.filter((line) => line.includes("are kept elsewhere")).length, 1);
    await t.throwsAsync(startEmbeddedDatabase({ ...options, log }), { message: /in use/ });
  }
  await chmod(closed, 0o755);
  await using database = await startEmbeddedDatabase({ ...options, log });
  t.is(await ask(database, "select count(*) from elsewhere"), "0", "data is not left behind");
});

test("data that the user of PostgreSQL can no longer reach is not silently begun anew", async (t) => {
  if (!runsAsRoot()) return t.pass("without root everything stays in the directory");
  const above = path.join(root, "later-closed");
  await mkdir(above, { mode: 0o755 });
  const directory = copyOfMade("later-closed/lumetry");
  await chmod(above, 0o700);
  await t.throwsAsync(startEmbeddedDatabase({ directory, log: silentLog }), {
    instanceOf: EmbeddedDatabaseError,
    message: new RegExp(`chmod o\\+x ${above}"`),
  });
});

test("a PostgreSQL that does not start says why, in its own words", async (t) => {
  const directory = copyOfMade();
  const file = path.join(directory, "postgres", "data", "postgresql.conf");
  await appendFile(file, "no_such_setting = 1\n");
  await t.throwsAsync(startEmbeddedDatabase({ directory, log: silentLog }), {
    instanceOf: EmbeddedDatabaseError,
    message: /did not start; it exited with status 1.*unrecognized configuration parameter/s,
  });
  t.deepEqual(await runningBelow(directory), []);
});

test("data of another PostgreSQL version is refused in clear words", async (t) => {
  const directory = copyOfMade();
  await writeFile(path.join(directory, "postgres", "data", "PG_VERSION"), "17\n");
  await t.throwsAsync(startEmbeddedDatabase({ directory, log: silentLog }), {
    instanceOf: EmbeddedDatabaseError,
    message: /made by PostgreSQL 17 and this Lumetry brings 18/,
  });
});

test("a start that is given up leaves nothing running and nothing claimed", async (t) => {
  const directory = path.join(root, "given-up");
  const giveUp = new AbortController();
  const start = startEmbeddedDatabase({ directory, log: silentLog, signal: giveUp.signal });
  const refused = t.throwsAsync(start, { message: "enough" });
  while (!existsSync(path.join(directory, "postgres"))) await sleep(5);
  giveUp.abort(new Error("enough"));
  await refused;
  t.deepEqual(await runningBelow(directory), []);
  await using database = await startEmbeddedDatabase({ directory, log: silentLog });
  t.is(await ask(database, "select 1"), 1);
});
