import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import pg from "pg";
import { systemClock } from "../../../lib/clock.ts";
import { silentLog } from "../../../lib/log.ts";
import { connectDatabase, migrate } from "../../../server/db/database.ts";
import { prune } from "../../../server/jobs/prune.ts";
import { openKeyring, SealBroken, UnknownKey } from "../../../server/sealing/keyring.ts";
import { reseal } from "../../../server/sealing/store.ts";
import { makeVault } from "../../../server/sealing/vault.ts";
import { notify, startSignals } from "../../../server/work/signals.ts";
import { freshDatabase } from "../../support/database.ts";

const key = () => randomBytes(32).toString("base64");
let directory: string;
test.before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "lumetry-keys-"));
});
test.after.always(() => rm(directory, { recursive: true, force: true }));

async function ringOf(name: string, keys: string[]) {
  const file = path.join(directory, name);
  await writeFile(file, `${keys.join("\n")}\n`);
  return openKeyring(file, { make: false });
}

test("a sealed value opens in its own place, whole, and nowhere else", async (t) => {
  const ring = await ringOf("one", [key()]);
  const sealed = ring.seal(Buffer.from("secret"), ["source", "a", "host:1"]);
  t.is(ring.open(sealed, ["source", "a", "host:1"]).toString(), "secret");
  t.throws(() => ring.open(sealed, ["source", "a", "host:2"]), { instanceOf: SealBroken });
  for (let at = 9; at < sealed.length; at += 1) {
    const damaged = Buffer.from(sealed);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    t.throws(() => ring.open(damaged, ["source", "a", "host:1"]), { instanceOf: SealBroken });
  }
  const other = await ringOf("other", [key()]);
  t.throws(() => other.open(sealed, ["source", "a", "host:1"]), { instanceOf: UnknownKey });
  t.throws(() => openKeyring(path.join(directory, "missing"), { make: false }), {
    message: /cannot be read/,
  });
  await writeFile(path.join(directory, "bad"), "short\n");
  t.throws(() => openKeyring(path.join(directory, "bad"), { make: false }), {
    message: /openssl rand/,
  });
});

test("after the key is changed, everything is sealed anew, and the old key is needed no more", async (t) => {
  await using database = await freshDatabase();
  await using connection = connectDatabase(
    { url: database.url },
    { log: silentLog, connections: 4 },
  );
  const { db, pool } = connection;
  await migrate(db);
  const [old, fresh] = [key(), key()];
  const before = await ringOf("before", [old]);
  const vault = makeVault(before, "before");
  const place = ["source", "w", "s", "host:1"];
  const seal = (by: typeof vault) =>
    db.transaction().execute((transaction) => by.seal(transaction, Buffer.from("secret"), place));
  const sealed = await seal(vault);
  await pool.query(`
    insert into workspaces (workspace_id, display_name, series_limit) values ('w', 'w', 1);
    insert into zones (workspace_id, zone_id, display_name) values ('w', 'z', 'z')`);
  await pool.query(
    `insert into sources (workspace_id, source_id, zone_id, display_name, settings, target,
       interval_ms, phase_ms, timeout_ms, secrets)
     values ('w', 's', 'z', 's', '{}', 'host:1', 60000, 0, 1000, $1)`,
    [sealed],
  );

  const stranger = makeVault(await ringOf("stranger", [fresh]), "stranger");
  await t.throwsAsync(seal(stranger), {
    message: /does not have the encryption key/,
  });

  const both = await ringOf("both", [fresh, old]);
  t.is(await reseal(db, both), 1);
  t.is(await reseal(db, both), 0);
  const { rows } = await pool.query<{ secrets: Buffer }>("select secrets from sources");
  const after = await ringOf("after", [fresh]);
  t.is(after.open(rows[0]?.secrets ?? Buffer.alloc(0), place).toString(), "secret");
});

test("whoever waits is woken after the connection was lost, and hears what comes then", async (t) => {
  await using database = await freshDatabase();
  await using signals = startSignals({ url: database.url }, { log: silentLog, clock: systemClock });
  using listener = signals.listen(["zone w z"]);
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  try {
    await listener.next(60_000); // it listens
    await notify(pool, ["zone w z"]);
    await listener.next(60_000);
    await notify(pool, ["zone w other"]);
    await pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lumetry signals' and datname = current_database()",
    );
    // It comes back by itself, and everybody looks for what they may have missed.
    await listener.next(60_000);
    await notify(pool, ["zone w z"]);
    await listener.next(60_000);
    t.pass();
  } finally {
    await pool.end();
  }
});

test("what has ended is forgotten in its time, dead letters last", async (t) => {
  await using database = await freshDatabase();
  await using connection = connectDatabase(
    { url: database.url },
    { log: silentLog, connections: 4 },
  );
  const { db, pool } = connection;
  await migrate(db);
  await pool.query(`
    insert into workspaces (workspace_id, display_name, series_limit) values ('w', 'w', 1);
    insert into channels (workspace_id, channel_id, display_name, url, target, secret)
      values ('w', 'c', 'c', 'http://a/', 'a:80', '');
    insert into deliveries (workspace_id, delivery_id, channel_id, event_type, body)
      select 'w', id, 'c', 'x', '' from unnest('{new,done,dead,deadest}'::text[]) as id;
    insert into work_items (workspace_id, work_id, kind, state, subject_id, due_at, budget_ms, ended_at)
      select 'w', id, 'deliver', state, id, wall_clock(), 1, wall_clock() - age::interval
      from (values ('new', 'done', '1 day'), ('done', 'done', '8 days'), ('dead', 'failed', '8 days'),
        ('deadest', 'failed', '31 days')) as given (id, state, age)`);
  await prune(db);
  const { rows } = await pool.query("select delivery_id from deliveries order by 1");
  t.deepEqual(rows, [{ delivery_id: "dead" }, { delivery_id: "new" }]);
});
