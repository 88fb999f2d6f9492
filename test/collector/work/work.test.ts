import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import type { AssignmentSchema } from "../../../gen/lumetry/edge/v1/work_pb.js";
import { systemClock } from "../../../lib/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { startHands } from "../../support/hands.ts";
import { startHastyClock } from "../../support/hasty-clock.ts";
import { startHttpTarget } from "../../support/target.ts";
import { startWorkServer, type WorkServer } from "../../support/work-server.ts";

const SECRET = "s3cret-of-a-source";

/** Assignments of sources that scrape a URL. */
function sources(url: string, count: number, intervalMs: number, timeoutMs = 5_000) {
  return Array.from(
    { length: count },
    (_, index): MessageInitShape<typeof AssignmentSchema> => ({
      sourceId: `source-${index}`,
      displayName: `source ${index}`,
      interval: durationFromMs(intervalMs),
      phase: durationFromMs(Math.floor((index * intervalMs) / count)),
      timeout: durationFromMs(timeoutMs),
      settings: { kind: { case: "prometheusScrape", value: { http: { url: `${url}/${index}` } } } },
      secrets: { bearerToken: SECRET },
    }),
  );
}

const serveMetrics = () =>
  startHttpTarget((request, response) => {
    response
      .setHeader("content-type", "text/plain; version=0.0.4")
      .end(`hits{path="${request.url}"} 1\n`);
  });

/** The slots of a source in order, and whether each follows the one before it. */
function slotsOf(server: WorkServer, sourceId: string) {
  const filled = [...(server.slots.get(sourceId) ?? [])].sort(([a], [b]) => a - b);
  return { times: filled.map(([time]) => time), filled: filled.map(([, one]) => one) };
}

const gaps = (times: number[], intervalMs: number) =>
  times.flatMap((time, index) => {
    const before = times[index - 1];
    return before !== undefined && time - before !== intervalMs ? [time - before] : [];
  });

test("assigned sources are polled at their times, with their secrets, and every reading is told once", async (t) => {
  const heard = new Set<string | undefined>();
  await using target = await startHttpTarget((request, response) => {
    heard.add(request.headers.authorization);
    response.end("hits 1\n");
  });
  await using server = await startWorkServer(systemClock);
  server.assign(sources(target.url, 20, 1_000));
  await using hands = await startHands(server.url, systemClock);
  for (let index = 0; index < 20; index += 1) {
    await eventually("three slots", () => slotsOf(server, `source-${index}`).times.length >= 3);
  }
  server.unassign("source-0");
  await eventually("one source ends", () => hands.work.status().sources === 19);
  t.deepEqual([...heard], [`Bearer ${SECRET}`]);
  for (let index = 0; index < 20; index += 1) {
    const { times, filled } = slotsOf(server, `source-${index}`);
    t.true(
      gaps(times, 1_000).every((gap) => gap % 1_000 === 0),
      `source ${index}`,
    );
    t.true(filled.every(({ reading }) => reading.up));
    t.is(filled[0]?.reading.series[0]?.metric, "hits");
  }
  t.is(server.counts.stale, 0);
});

test("a test starts though every slot is taken by sources that hang; its progress is told as it happens", async (t) => {
  const timers: NodeJS.Timeout[] = [];
  await using hanging = await startHttpTarget((_, response) => {
    timers.push(setTimeout(() => response.end(), 600_000));
  });
  await using fine = await serveMetrics();
  await using server = await startWorkServer(systemClock);
  server.assign(sources(hanging.url, 50, 1_000, 60_000));
  await using hands = await startHands(server.url, systemClock, { pollSlots: 8 });
  await eventually("no unknown source finds a slot", () => hands.work.status().polls.running === 6);
  const workId = server.order({
    case: "test",
    value: {
      settings: { kind: { case: "prometheusScrape", value: { http: { url: fine.url } } } },
    },
  });
  const outcome = await eventually("the test is done", () => server.outcomes.get(workId));
  t.is(outcome.case, "reading");
  if (outcome.case === "reading")
    t.deepEqual([outcome.value.up, outcome.value.failure], [true, ""]);
  // As far as the result did not overtake them.
  const steps = ["dns", "connect", "first_byte", "transfer", "parse"];
  t.true(server.progress.length > 0);
  t.deepEqual(server.progress, steps.slice(0, server.progress.length));
  const { polls, tests } = hands.work.status();
  t.is(polls.running, 6);
  t.is(tests.done, 1);
  for (const timer of timers) clearTimeout(timer);
});

test("a test whose person has left is ended at once", async (t) => {
  await using hanging = await startHttpTarget(() => {});
  await using server = await startWorkServer(systemClock);
  server.leaseMs = 1_500;
  await using hands = await startHands(server.url, systemClock);
  server.order(
    {
      case: "test",
      value: { settings: { kind: { case: "httpCheck", value: { http: { url: hanging.url } } } } },
    },
    60_000,
  );
  await eventually("it is under way", () => hanging.connections.size === 1);
  server.takeBack();
  await eventually("its connection is closed", () => hanging.connections.size === 0);
  await eventually("its slot is free", () => hands.work.status().tests.running === 0);
  t.is(server.counts.reports, 0);
});

test("a claim that is worked on is renewed, and one that was lost ends its poll and is not told", async (t) => {
  let hold = true;
  await using target = await startHttpTarget((_, response) => {
    if (!hold) response.end("hits 1\n");
  });
  await using server = await startWorkServer(systemClock);
  server.leaseMs = 6_000;
  // A slot that has just come.
  const [source] = sources(target.url, 1, 3_600_000, 60_000);
  server.assign([{ ...source, phase: durationFromMs((Date.now() + 1_000) % 3_600_000) }]);
  await using hands = await startHands(server.url, systemClock);
  await eventually("it is under way", () => target.connections.size === 1);
  await eventually("it was renewed", () => server.counts.renewals >= 2);
  t.is(target.connections.size, 1);
  server.takeBack();
  await eventually("its connection is closed", () => target.connections.size === 0);
  hold = false;
  await eventually("nothing runs", () => hands.work.status().polls.running === 0);
  t.is(server.counts.reports, 0);
});

test("a report whose answer was lost is sent again with the same token, and counts once", async (t) => {
  await using target = await serveMetrics();
  await using server = await startWorkServer(systemClock);
  server.assign(sources(target.url, 4, 1_000));
  server.loseAnswers = 3;
  await using hands = await startHands(server.url, systemClock);
  await eventually("reports came twice", () => server.counts.spent > 0);
  await eventually("the others come", () => hands.work.status().reports.accepted > 8);
  t.is(server.counts.stale, 0);
  t.is(hands.work.status().reports.stale, 0);
});

test("notifications are delivered as they are, redirects not followed, and failures told in words", async (t) => {
  const heard: string[] = [];
  await using receiver = await startHttpTarget((request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += piece;
    });
    request.on("end", () => {
      heard.push([request.method, request.url, request.headers["webhook-id"], body].join(" "));
      if (request.url === "/away") response.writeHead(302, { location: "/other" }).end();
      else if (request.url === "/busy")
        response.writeHead(503, { "retry-after": "120" }).end("secret");
      else response.writeHead(204).end();
    });
  });
  await using server = await startWorkServer(systemClock);
  await using _hands = await startHands(server.url, systemClock);
  const send = async (url: string) => {
    const workId = server.order({
      case: "deliver",
      value: { url, headers: { "webhook-id": "msg_1" }, body: Buffer.from('{"a":1}') },
    });
    const outcome = await eventually("it is told", () => server.outcomes.get(workId));
    return outcome.case === "delivery" ? outcome.value : undefined;
  };
  t.is((await send(`${receiver.url}/hook`))?.httpStatus, 204);
  t.is((await send(`${receiver.url}/away`))?.httpStatus, 302);
  const busy = await send(`${receiver.url}/busy`);
  t.deepEqual([busy?.httpStatus, busy?.retryAfter?.seconds], [503, 120n]);
  const forbidden = await send("http://169.254.169.254/hook");
  t.is(forbidden?.httpStatus, 0);
  t.regex(forbidden?.failure ?? "", /never connected to/);
  t.deepEqual(heard, [
    'POST /hook msg_1 {"a":1}',
    'POST /away msg_1 {"a":1}',
    'POST /busy msg_1 {"a":1}',
  ]);
});

test("where a zone may connect is followed at once", async (t) => {
  await using server = await startWorkServer(systemClock);
  server.allowedNetworks = ["192.0.2.0/24"];
  await using _hands = await startHands(server.url, systemClock, { allowLoopback: false });
  const probe = async (url: string) => {
    const workId = server.order({
      case: "test",
      value: { settings: { kind: { case: "httpCheck", value: { http: { url } } } } },
    });
    const outcome = await eventually("it is told", () => server.outcomes.get(workId));
    return outcome.case === "reading" ? outcome.value.failure : "";
  };
  t.regex(await probe("http://10.0.0.1/"), /in a private network: an administrator can add/);
  t.regex(await probe("http://127.0.0.1/"), /this machine itself: .*--work-loopback true/);
  t.regex(await probe("http://169.254.169.254/"), /never connected to/);
});

test("an hour without the server, and a restart in it, leaves no hole: each slot once", async (t) => {
  using clock = startHastyClock(2_000);
  await using target = await serveMetrics();
  let server = await startWorkServer(clock);
  const port = Number(new URL(server.url).port);
  const intervalMs = 600_000;
  // Time is too fast for the usual half a minute.
  const leaseMs = intervalMs;
  server.leaseMs = leaseMs;
  server.assign(sources(target.url, 10, intervalMs));
  const { slots } = server;
  let hands = await startHands(server.url, clock);
  const { dataDir } = hands;
  const passed = (ms: number, since: number) =>
    eventually("time passes", () => clock.now() > since + ms);
  try {
    await eventually("every source was polled", () => slots.size === 10);
    await eventually("assignments are kept", async () => {
      return (await readdir(dataDir)).includes("assignments.sealed");
    });
    const cutAt = clock.now();
    await server[Symbol.asyncDispose]();
    await passed(1_800_000, cutAt);
    const before = hands.work.status();
    t.true(before.isInOutage);
    t.true(before.outageRuns.waiting >= 20, `${before.outageRuns.waiting}`);
    const stoppedAt = clock.now();
    await hands.stop();
    hands = await startHands(server.url, clock, { dataDir });
    const restartedAt = clock.now();
    t.is(hands.work.status().sources, 10);
    t.true(hands.work.status().outageRuns.waiting >= before.outageRuns.waiting);
    for (const file of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const bytes = await readFile(path.join(file.parentPath, file.name));
      t.false(bytes.includes(SECRET), file.name);
    }
    await passed(3_600_000, cutAt);
    const backAt = clock.now();
    server = await startWorkServer(clock, port);
    server.leaseMs = leaseMs;
    for (const [sourceId, filled] of slots) server.slots.set(sourceId, filled);
    server.assign(sources(target.url, 10, intervalMs));
    await eventually("all is told", () => hands.work.status().outageRuns.waiting === 0);
    const toldAt = clock.now();
    await eventually("the server hands out again", () =>
      [...server.slots.values()].every((filled) =>
        [...filled].some(([time, { by }]) => by === "claim" && time > toldAt),
      ),
    );
    for (let index = 0; index < 10; index += 1) {
      const { times, filled } = slotsOf(server, `source-${index}`);
      for (let slot = times[0] ?? 0; slot < (times.at(-1) ?? 0); slot += intervalMs) {
        // Nobody polls while there is no process; and this server knows nothing of slots before its start.
        const isExcused =
          (slot > stoppedAt - intervalMs / 2 && slot < restartedAt) ||
          (slot > backAt - intervalMs / 2 && slot < toldAt);
        t.true(times.includes(slot) || isExcused, `source ${index} has a hole`);
      }
      t.true(filled.filter(({ by }) => by === "outage").length >= 3);
    }
  } finally {
    await hands.stop();
    await server[Symbol.asyncDispose]();
  }
});

test("a server that declines to hand out work is not an outage; one that cannot is", async (t) => {
  using clock = startHastyClock(100);
  await using target = await serveMetrics();
  await using server = await startWorkServer(clock);
  server.assign(sources(target.url, 2, 10_000));
  await using hands = await startHands(server.url, clock);
  await eventually("it is polled", () => server.slots.size === 2);
  server.failure = new ConnectError("not now", Code.PermissionDenied);
  const declinedAt = clock.now();
  await eventually("a minute passes", () => clock.now() > declinedAt + 60_000);
  t.false(hands.work.status().isInOutage);
  server.failure = new ConnectError("the database is away", Code.Unavailable);
  await eventually("it polls by itself", () => hands.work.status().outageRuns.waiting > 4);
  server.failure = undefined;
  await eventually("all is told", () => {
    const { isInOutage, outageRuns } = hands.work.status();
    return !isInOutage && outageRuns.waiting === 0;
  });
  t.is(hands.work.status().outageRuns.lost, 0);
});

test("a worker that stops gives back what it holds and leaves no connection", async (t) => {
  await using hanging = await startHttpTarget(() => {});
  await using server = await startWorkServer(systemClock);
  server.assign(sources(hanging.url, 10, 1_000, 60_000));
  const hands = await startHands(server.url, systemClock, { pollSlots: 4 });
  await eventually("it polls", () => hanging.connections.size === 3);
  await eventually("others wait", () => hands.work.status().polls.waiting > 0);
  await hands.stop();
  await eventually("no connection is left", () => hanging.connections.size === 0);
  t.true(server.counts.released >= 3);
  t.is(server.slots.size, 0);
});
