import test from "ava";
import pg from "pg";
import { freshDatabase, sharedPostgres } from "../../../support/database.ts";
import { eventually } from "../../../support/eventually.ts";
import { pollOnce } from "../../../support/polling.ts";
import { startTcpFront, startTcpTarget, type Target } from "../../../support/target.ts";

const TLS_OFF = 2;

let front: Target;
let login: { database: string; username: string };
let password: string;
let admin: pg.Client;
let database: Awaited<ReturnType<typeof freshDatabase>>;

test.before(async () => {
  database = await freshDatabase();
  const connection = await sharedPostgres();
  front = await startTcpFront(`${connection.host}/.s.PGSQL.${connection.port}`);
  password = connection.password;
  const name = new URL(database.url).pathname.slice(1);
  login = { database: name, username: connection.user };
  admin = new pg.Client(database.url);
  await admin.connect();
  await admin.query("create table jobs (queue text, waiting int, oldest numeric, done bool)");
  await admin.query("insert into jobs values ('mail', 3, 1.5, true), ('bill', 0, null, false)");
});
test.after.always(async () => {
  await admin?.end();
  await front?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const ask = (query: string, settings = {}, options = {}) =>
  pollOnce(
    {
      case: "postgresQuery",
      value: {
        target: { host: "127.0.0.1", port: front.port },
        ...login,
        tlsMode: TLS_OFF,
        query,
        metrics: [{ column: "waiting", metric: "jobs.waiting", unit: "{job}" }],
        ...settings,
      },
    },
    { secrets: { password }, ...options },
  );

/** Queries of others that still run in this database. */
const running = async () => {
  const { rows } = await admin.query(
    "select query from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  return rows.map(({ query }) => query);
};

test("rows become series, columns metrics and labels", async (t) => {
  const seen = await ask("select * from jobs order by queue;", {
    metrics: [
      { column: "waiting", metric: "jobs.waiting" },
      { column: "oldest", metric: "jobs.oldest" },
      { column: "done", metric: "jobs.done" },
    ],
    labelColumns: ["queue"],
  });
  t.is(seen.failure, "");
  t.deepEqual(seen.values, {
    'jobs.waiting{queue="bill"}': 0,
    'jobs.done{queue="bill"}': 0,
    'jobs.waiting{queue="mail"}': 3,
    'jobs.oldest{queue="mail"}': 1.5,
    'jobs.done{queue="mail"}': 1,
  });
  t.is(seen.facts.rows, "2");
  t.deepEqual(seen.phases, ["dns", "connect", "sign_in", "query"]);
});

test("a query can only read, be one statement, and give so many rows", async (t) => {
  const cases: Record<string, RegExp> = {
    "select nextval('s') as waiting from (select 1) x": /relation "s" does not exist/,
    "insert into jobs values ('x') returning waiting": /syntax error/,
    "with gone as (delete from jobs returning 1) select 1 as waiting": /data-modifying/,
    "select 1 as waiting; drop table jobs": /cannot insert multiple commands/,
    "select waiting from nothing": /relation "nothing" does not exist \(42P01\)/,
    "select generate_series(1, 2000) as waiting": /more than 1,000 rows/,
    "select 'abc' as waiting": /column 'waiting' holds "abc", which is no number/,
    "select 1 as other": /gives no column 'waiting'/,
    "select lo_create(0) as waiting": /may only read|cannot execute/,
    "select set_config('transaction_read_only', 'off', false)::int as waiting":
      /read-write mode|may only read|cannot set/,
  };
  for (const [query, words] of Object.entries(cases)) {
    const seen = await ask(query);
    t.false(seen.up, query);
    t.regex(seen.failure, words, query);
  }
  const { rows } = await admin.query("select count(*)::int as n from jobs");
  t.is(rows[0].n, 2);
});

test("a wrong password, a database that is not there and a server without TLS are told in words", async (t) => {
  const wrong = await ask("select 1 as waiting", {}, { secrets: { password: "no" } });
  t.regex(wrong.failure, /password authentication failed/);
  t.regex(
    (await ask("select 1 as waiting", { database: "nowhere" })).failure,
    /"nowhere" does not exist/,
  );
  t.regex(
    (await ask("select 1 as waiting", { tlsMode: 1 })).failure,
    /does not speak TLS: turn it on/,
  );
  // Whatever this machine's own environment says.
  process.env.PGPASSWORD = password;
  t.regex(
    (await ask("select 1 as waiting", {}, { secrets: {} })).failure,
    /password|authentication/i,
  );
});

test("at the budget a query is cancelled, and nothing of it goes on", async (t) => {
  const seen = await ask("select pg_sleep(60), 1 as waiting", {}, { budgetMs: 500 });
  t.regex(seen.failure, /took too long: stopped while running the query, which was cancelled/);
  await eventually("nothing runs any more", async () => (await running()).length === 0);
  await eventually("no connection is left", () => front.connections.size === 0);
});

test("a poll that is aborted ends its query on the server, too", async (t) => {
  const ending = new AbortController();
  const polling = ask(
    "select pg_sleep(60), 1 as waiting",
    {},
    { budgetMs: 60_000, signal: ending.signal },
  );
  await eventually("the query runs", async () =>
    (await running()).some((query) => /pg_sleep|fetch/.test(query)),
  );
  ending.abort();
  t.false((await polling).up);
  await eventually("nothing runs any more", async () => (await running()).length === 0);
});

test("a server that takes the connection and says nothing costs the budget", async (t) => {
  await using mute = await startTcpTarget(() => {});
  const target = { host: "127.0.0.1", port: mute.port };
  const seen = await ask("select 1 as waiting", { target }, { budgetMs: 300 });
  t.regex(seen.failure, /took/);
  await eventually("no connection is left", () => mute.connections.size === 0);
});

test("rows that take too much memory are given up", async (t) => {
  const seen = await ask(
    "select 1 as waiting, repeat('x', 1000000) from generate_series(1, 200)",
    {},
    {
      heldBytes: 5_000_000,
    },
  );
  t.regex(seen.failure, /given up to keep memory bounded|more than 16 MiB/);
});
