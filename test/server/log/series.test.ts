import test from "ava";
import { systemClock } from "../../../lib/clock.ts";
import { makeId } from "../../../lib/ids.ts";
import { silentLog } from "../../../lib/log.ts";
import { connectDatabase, type DatabaseConnection, migrate } from "../../../server/db/database.ts";
import { makeSeriesResolver, type SeriesName } from "../../../server/log/series.ts";
import { freshDatabase } from "../../support/database.ts";
import { makeManualClock } from "../../support/manual-clock.ts";

let database: Awaited<ReturnType<typeof freshDatabase>>;
let connection: DatabaseConnection;

test.before(async () => {
  database = await freshDatabase();
  connection = connectDatabase({ url: database.url }, { log: silentLog, connections: 8 });
  await migrate(connection.db);
});
test.after.always(async () => {
  await connection?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

async function addWorkspace(seriesLimit = 1000): Promise<string> {
  const workspaceId = makeId("wsp");
  await connection.pool.query("insert into workspaces values ($1, 'W', $2)", [
    workspaceId,
    seriesLimit,
  ]);
  return workspaceId;
}

const names = (from: number, to: number, metric = "m"): SeriesName[] =>
  Array.from({ length: to - from }, (_, at) => ({ metric, labels: [["i", String(from + at)]] }));

async function countsOf(workspaceId: string) {
  const { rows } = await connection.pool.query(
    `select (select count(*) from series where workspace_id = $1)::int as series,
       (select sum(series_count) from metrics where workspace_id = $1)::int as in_metrics,
       series_count::int as counted from workspaces where workspace_id = $1`,
    [workspaceId],
  );
  return rows[0];
}

const resolver = (clock = systemClock) => makeSeriesResolver(connection.db, clock);

test("the same series always has the same id, whoever asks, and others have others", async (t) => {
  const workspaceId = await addWorkspace();
  const [one, two] = [resolver(), resolver()];
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      (at % 2 === 0 ? one : two).resolve(workspaceId, names(at, at + 50)),
    ),
  );
  for (const [at, ids] of all.entries()) {
    t.deepEqual(ids.slice(1), all[at + 1]?.slice(0, -1) ?? ids.slice(1));
  }
  t.is(new Set(all.flat()).size, 69);
  t.deepEqual(await countsOf(workspaceId), { series: 69, in_metrics: 69, counted: 69 });
});

test("labels and metrics that look alike are different series", async (t) => {
  const workspaceId = await addWorkspace();
  const ids = await resolver().resolve(workspaceId, [
    { metric: "a", labels: [] },
    { metric: "a", labels: [["b", "c"]] },
    { metric: "a", labels: [["b", "cd"]] },
    { metric: "a", labels: [["bc", "d"]] },
    { metric: "ab", labels: [["c", "d"]] },
    {
      metric: "a",
      labels: [
        ["b", "c"],
        ["d", "e"],
      ],
    },
    { metric: "a", labels: [["b", "c"]] },
  ]);
  t.is(new Set(ids).size, 6);
  t.is(ids[1], ids[6]);
});

test("past the limit new series are refused, and those that exist go on", async (t) => {
  const clock = makeManualClock();
  const workspaceId = await addWorkspace(100);
  const neighbour = await addWorkspace(100);
  const resolve = resolver(clock).resolve;
  const first = await resolve(workspaceId, names(0, 90));
  const second = await resolve(workspaceId, names(80, 120));
  t.deepEqual(second.slice(0, 10), first.slice(80));
  t.is(second.filter((id) => id !== undefined).length, 20);
  t.deepEqual(await resolve(workspaceId, names(0, 90)), first);
  t.deepEqual(await resolve(workspaceId, names(500, 501)), [undefined]);
  t.true((await resolve(neighbour, names(0, 90))).every((id) => id !== undefined));
  t.deepEqual(await countsOf(workspaceId), { series: 100, in_metrics: 100, counted: 100 });

  await connection.pool.query("update workspaces set series_limit = 101 where workspace_id = $1", [
    workspaceId,
  ]);
  clock.advance(5_001);
  t.is((await resolve(workspaceId, names(500, 502))).filter(Boolean).length, 1);
});

test("servers that ask at once share what room there is", async (t) => {
  const workspaceId = await addWorkspace(100);
  const answers = await Promise.all(
    Array.from({ length: 4 }, (_, at) =>
      resolver().resolve(workspaceId, names(at * 60, at * 60 + 60)),
    ),
  );
  t.is(answers.flat().filter(Boolean).length, 100);
  t.deepEqual(await countsOf(workspaceId), { series: 100, in_metrics: 100, counted: 100 });
});

test("while one workspace adds series, another does not wait, nor who refers to the first", async (t) => {
  const workspaceId = await addWorkspace();
  const neighbour = await addWorkspace();
  await using holder = connectDatabase({ url: database.url }, { log: silentLog, connections: 1 });
  const client = await holder.pool.connect();
  await client.query("begin");
  await client.query("select 1 from workspaces where workspace_id = $1 for no key update", [
    workspaceId,
  ]);
  const { resolve } = resolver();
  const waiting = resolve(workspaceId, names(0, 10));
  t.is((await resolve(neighbour, names(0, 10))).filter(Boolean).length, 10);
  await connection.pool.query(
    "insert into zones (workspace_id, zone_id, display_name) values ($1, 'z', 'Z')",
    [workspaceId],
  );
  await client.query("rollback");
  client.release();
  t.is((await waiting).filter(Boolean).length, 10);
});

test("a failure is told to those who asked, and the next asks anew", async (t) => {
  const workspaceId = makeId("wsp");
  const { resolve } = resolver();
  await t.throwsAsync(resolve(workspaceId, names(0, 1)));
  await connection.pool.query("insert into workspaces values ($1, 'W', 10)", [workspaceId]);
  t.is((await resolve(workspaceId, names(0, 1))).filter(Boolean).length, 1);
});
