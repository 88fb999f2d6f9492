import { randomUUID } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import test from "ava";
import { MetricsService } from "../../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import { addSender, pointsOf, seriesOf, type TestSender } from "../../support/points.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let other: TestServer;
let owner: Owner;
let sender: TestSender;
const now = Date.now();

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  sender = await addSender(server, owner.token);
  // A second server process's worth of everything but memory, on the same database.
  other = await startTestServer({ databaseUrl: server.databaseUrl });
});
test.after.always(async () => {
  await other?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const through = (at: TestServer) =>
  createClient(MetricsService, at.transport({ token: sender.secret }));

/** How often each point of a metric is in the log, whatever a query would make of it. */
async function pointsInLog(metric: string): Promise<number> {
  const [row] = await server.sql<{ points: number }>(
    `select coalesce(sum(points), 0)::int as points from segments
     where start_ms = $1`,
    [times.get(metric)],
  );
  return row?.points ?? 0;
}

/** Each metric has a time of its own, by which its segments are found. */
const times = new Map<string, number>();
function batchOf(metric: string) {
  const at = now - 3_600_000 * (times.size + 2);
  times.set(metric, at);
  return {
    batchId: `${randomUUID()}-1`,
    series: [seriesOf(metric, {}, [at, 1], [at + 1, 2], [at + 2, Number.NaN])],
  };
}

test.serial("a batch that is sent again gets the first answer and is stored once", async (t) => {
  const batch = batchOf("again");
  const first = await sender.metrics.writeMetrics(batch);
  t.is(first.acceptedPoints, 2n);
  t.is(first.refusals.length, 1);
  t.deepEqual(await sender.metrics.writeMetrics(batch), first);
  t.deepEqual(await through(other).writeMetrics(batch), first);
  // Even if it is another batch by now.
  t.deepEqual(
    await sender.metrics.writeMetrics({ ...batch, series: [seriesOf("else", {}, [now, 9])] }),
    first,
  );
  t.is(await pointsInLog("again"), 2);
});

test.serial("a batch all of whose points were refused is remembered as well", async (t) => {
  const batchId = randomUUID();
  const refusal = await sender.metrics.writeMetrics({
    batchId,
    series: [seriesOf("nothing", {}, [now, Number.NaN])],
  });
  t.is(refusal.refusedPoints, 1n);
  const again = await sender.metrics.writeMetrics({
    batchId,
    series: [seriesOf("nothing", {}, [now, 1])],
  });
  t.deepEqual(again, refusal);
});

test.serial("fifty at once over two servers store a batch once and answer alike", async (t) => {
  const batch = batchOf("fifty");
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      through(index % 2 === 0 ? server : other).writeMetrics(batch),
    ),
  );
  for (const answer of answers) t.deepEqual(answer, answers[0]);
  t.is(answers[0]?.acceptedPoints, 2n);
  t.is(await pointsInLog("fifty"), 2);
});

test.serial("repeats among new batches keep none of these from being stored", async (t) => {
  const known = batchOf("known");
  await sender.metrics.writeMetrics(known);
  const fresh = Array.from({ length: 30 }, (_, index) => batchOf(`fresh_${index}`));
  await Promise.all(
    fresh.flatMap((batch) => [
      through(server).writeMetrics(batch),
      through(other).writeMetrics(known),
      through(other).writeMetrics(batch),
      through(server).writeMetrics(known),
    ]),
  );
  t.is(await pointsInLog("known"), 2);
  for (const index of fresh.keys()) t.is(await pointsInLog(`fresh_${index}`), 2);
});

test.serial("two senders may call different batches by one name", async (t) => {
  const one = batchOf("mine");
  const two = { ...batchOf("theirs"), batchId: one.batchId };
  const neighbour = await addSender(server, owner.token);
  await sender.metrics.writeMetrics(one);
  await neighbour.metrics.writeMetrics(two);
  t.is(await pointsInLog("mine"), 2);
  t.is(await pointsInLog("theirs"), 2);
});

test.serial("batches without an id are all stored", async (t) => {
  const { series } = batchOf("nameless");
  await Promise.all([
    sender.metrics.writeMetrics({ series }),
    through(other).writeMetrics({ series }),
  ]);
  t.is(await pointsInLog("nameless"), 4);
  t.is((await pointsOf(server, owner.token, "nameless"))[0]?.points.length, 2);
});

test.serial("connections killed under load lose nothing and store nothing twice", async (t) => {
  const at = now - 20 * 86_400_000;
  const senders = await Promise.all(
    Array.from({ length: 8 }, () => addSender(server, owner.token)),
  );
  const sent = senders.map(() => 0);
  const total = () => sent.reduce((sum, count) => sum + count, 0);
  let failures = 0;
  const enough = () => total() > 500 && failures > 20;
  const send = async ({ metrics }: TestSender, name: number) => {
    while (!enough()) {
      const number = sent[name] ?? 0;
      const batch = {
        batchId: String(number),
        series: [seriesOf("killed", { name: String(name) }, [at + number, number])],
      };
      const written = await metrics.writeMetrics(batch).then(
        () => true,
        () => false,
      );
      if (written) sent[name] = number + 1;
      else failures += 1;
    }
    // What failed last may be in the log all the same.
    await metrics.writeMetrics({ batchId: String(sent[name]) });
  };
  const sending = Promise.all(senders.map(send));
  while (!enough()) {
    await server.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'lumetry' and state = 'active'`,
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await sending;
  const found = await pointsOf(server, owner.token, "killed");
  const counts = new Map(found.map(({ labels, points }) => [labels.name, points.length]));
  const [row] = await server.sql<{ points: number }>(
    "select sum(points)::int as points from segments where start_ms >= $1 and end_ms < $2",
    [at, at + 3_600_000],
  );
  t.log(`${row?.points} batches, ${failures} failures`);
  const inAll = [...counts.values()].reduce((sum, count) => sum + count, 0);
  t.is(row?.points, inAll);
  for (const [name, count] of sent.entries()) {
    const read = counts.get(String(name)) ?? 0;
    t.true(read === count || read === count + 1, `${name}: ${read} of ${count}`);
  }
});
