import { randomUUID } from "node:crypto";
import test from "ava";
import pg from "pg";
import { joinSegment, makeBatchPacker } from "../../server/log/segment-format.ts";
import { randomFrom } from "../edge/queue/fixtures.ts";
import { addRun } from "../support/log.ts";
import { addSender, seriesOf } from "../support/points.ts";
import { setUp, startTestServer } from "../support/server.ts";
import { settleAccounts } from "./points/accounts.ts";
import { followLog } from "./points/follower.ts";
import { METRIC } from "./points/load.ts";
import { storm } from "./points/storm.ts";
import { prepareGround, runRound } from "./points.ts";

/** Another one each time; a failure names it. */
const seed = Number(process.env.LUMETRY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test("two servers and their PostgreSQL are killed under load: what was answered for is stored once, and nothing else", async (t) => {
  t.log(`seed ${seed}`);
  const random = randomFrom(seed);
  await using ground = await prepareGround();
  const [server] = ground.servers;
  if (!server) return t.fail();
  const { problems, batches, load } = await runRound(ground, {
    random,
    senders: 4,
    meanwhile: async () => {
      const toll = await storm(ground.servers, ground.postgres, { random, kills: 2 });
      t.log([...toll]);
    },
  });
  t.log(batches);
  t.deepEqual(problems, []);
  t.true(batches.acknowledged > 10);

  // The books themselves: whatever is amiss in the log shows.
  const settle = async () =>
    (await settleAccounts(server, ground.owner.token, load)).problems.join("\n");
  const copied = await server.sql<{ id: string }>(
    `insert into segments (workspace_id, start_ms, end_ms, points, body)
     select workspace_id, start_ms, end_ms, points, body from segments
     order by segment_id limit 1 returning segment_id::text as id`,
  );
  t.regex(await settle(), /^stored more than once of /m);
  await server.sql("delete from segments where segment_id = $1", [copied[0]?.id]);
  t.is(await settle(), "");
  await server.sql(
    "delete from segments where segment_id = (select min(segment_id) from segments)",
  );
  t.regex(await settle(), /^lost of /m);
  t.regex(await settle(), /^known of .*, and not in the log/m);
});

test("a reader that follows numbers skips a late commit and is found out; one that follows transactions does not", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  const { metrics, keyId } = await addSender(server, owner.token);
  const now = Date.now();
  const write = (batchId: string) =>
    metrics.writeMetrics({ batchId, series: [seriesOf(METRIC, { part: "a" }, [now, 1])] });
  await write("first");
  await using byTransactions = followLog(server.databaseUrl, "transactions");
  await using byNumbers = followLog(server.databaseUrl, "numbers");

  const packer = makeBatchPacker();
  packer.begin({ senderId: keyId, batchId: randomUUID(), clockOffsetMs: 0 });
  addRun(packer, 1, [[now, 1]]);
  const packed = packer.finish();
  const late = new pg.Client(server.databaseUrl);
  await late.connect();
  await late.query("begin");
  await late.query(
    "insert into segments (workspace_id, start_ms, end_ms, points, body) values ($1, $2, $2, 1, $3)",
    [owner.workspaceId, now, joinSegment(packed ? [packed] : [])],
  );
  await write("second");
  while (byNumbers.count < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  await late.query("commit");
  await late.end();
  await write("third");
  t.deepEqual(await byTransactions.settle(server), []);
  t.deepEqual(await byNumbers.settle(server), ["a reader skipped 1 batches"]);
});
