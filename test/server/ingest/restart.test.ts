import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import pg from "pg";
import { type Log, silentLog } from "../../../lib/log.ts";
import { startEmbeddedDatabase } from "../../../server/db/embedded.ts";
import { urlOf } from "../../support/database.ts";
import { addSender, pointsOf, seriesOf } from "../../support/points.ts";
import { setUp, startTestServer } from "../../support/server.ts";

const RESTARTS = 2;

test("PostgreSQL restarts under load and nothing is lost or stored twice", async (t) => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-restart-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const pids: number[] = [];
  const log: Log = {
    ...silentLog,
    info: (fields) => "pid" in fields && pids.push(Number(fields.pid)),
  };
  const database = stack.use(await startEmbeddedDatabase({ directory, log }));
  const server = stack.use(await startTestServer({ databaseUrl: urlOf(database.connection) }));
  const owner = await setUp(server);
  const { metrics } = await addSender(server, owner.token);
  const start = Date.now() - 3_600_000;

  let answered = 0;
  let failed = 0;
  let stopping = false;
  const send = async (name: number) => {
    let sent = 0;
    for (; !stopping; sent += 1) {
      const batch = {
        batchId: `${name}-${sent}`,
        series: [seriesOf("restarted", { name: String(name) }, [start + sent, sent])],
      };
      for (let done = false; !done; ) {
        done = await metrics.writeMetrics(batch).then(
          () => true,
          () => false,
        );
        if (done) answered += 1;
        else {
          failed += 1;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    }
    return sent;
  };
  const sending = Promise.all([0, 1, 2, 3, 4, 5].map(send));
  while (pids.length <= RESTARTS) {
    const before = answered;
    while (answered < before + 100) await new Promise((resolve) => setTimeout(resolve, 5));
    const restarts = pids.length;
    // Odd rounds end every session at once in good order, even ones without any order.
    process.kill(pids.at(-1) ?? 0, restarts % 2 === 1 ? "SIGINT" : "SIGQUIT");
    while (pids.length === restarts) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stopping = true;
  const sent = await sending;
  const found = await pointsOf(server, owner.token, "restarted");
  t.deepEqual(
    found.map(({ labels, points }) => [Number(labels.name), points.length]).sort(),
    sent.map((count, name) => [name, count]),
  );
  const client = new pg.Client(database.connection);
  await client.connect();
  const { rows } = await client.query("select sum(points)::int as points from segments");
  await client.end();
  t.is(rows[0].points, answered);
  t.log(`${answered} batches, ${failed} failures`);
});
