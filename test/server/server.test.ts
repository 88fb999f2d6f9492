import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { Code } from "@connectrpc/connect";
import test from "ava";
import { Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { SessionService } from "../../gen/lumetry/v1/session_service_pb.js";
import { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import { makeSecret } from "../../lib/secret.ts";
import { addCollector, edgeCalls, enroll, register } from "../support/collector.ts";
import { freshDatabase } from "../support/database.ts";
import { refusalsOf, refused } from "../support/refusal.ts";
import { setUp, startTestServer } from "../support/server.ts";

const main = path.join(import.meta.dirname, "../../server/main.ts");

test("two servers on one database work as one", async (t) => {
  await using one = await startTestServer();
  const owner = await setUp(one);
  await using two = await startTestServer({ databaseUrl: one.databaseUrl });
  t.is(two.setupSecret, undefined);
  const { token, collectorId } = await register(one, owner);
  const { credential } = await enroll(two, token);
  await edgeCalls(one, credential).config.getConfig({});
  await edgeCalls(two, credential).config.getConfig({});

  await one.client(CollectorService, owner.token).revokeCollector({ collectorId });
  // In force everywhere within a second, and here at once.
  t.like(await refused(edgeCalls(one, credential).config.getConfig({})), {
    reason: Reason.REVOKED,
  });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  t.like(await refused(edgeCalls(two, credential).config.getConfig({})), {
    reason: Reason.REVOKED,
  });
});

test("several servers may start at once on an empty database", async (t) => {
  await using database = await freshDatabase();
  const servers = await Promise.all(
    Array.from({ length: 3 }, () => startTestServer({ databaseUrl: database.url })),
  );
  t.teardown(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));
  const codes = await Promise.all(
    servers.map((server) => refused(server.client(ZoneService).listZones({}))),
  );
  t.true(codes.every(({ code }) => code === Code.Unauthenticated));
});

test("losing every connection to the database is survived", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  const zones = server.client(ZoneService, owner.token);
  for (let round = 0; round < 5; round += 1) {
    await server.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    const attempts = await Promise.allSettled([zones.listZones({}), zones.listZones({})]);
    t.true(attempts.length === 2);
    t.is((await zones.listZones({})).zones.length, 1);
  }
});

test("one credential that calls too often is slowed down, and others are not", async (t) => {
  await using server = await startTestServer({ callsPerSecond: 2 });
  const owner = await setUp(server);
  const { credential } = await addCollector(server, owner);
  const { config } = edgeCalls(server, credential);
  const calls = Array.from({ length: 60 }, () => config.getConfig({}));
  const { answered, refusals } = await refusalsOf(calls);
  t.true(answered > 0);
  t.like(refusals[0], { code: Code.ResourceExhausted, reason: Reason.OVERLOADED });
  t.true((refusals[0]?.retryAfterMs ?? 0) > 0);
  const other = await addCollector(server, owner);
  t.truthy(await other.config.getConfig({}));
});

test("guessing enrollment tokens, passwords and credentials is slowed down", async (t) => {
  const guesses: ((server: Awaited<ReturnType<typeof startTestServer>>) => Promise<unknown>)[] = [
    (server) => enroll(server, makeSecret("lmtce")),
    (server) =>
      server.client(SessionService).createSession({ email: "a@b.example", password: "x" }),
    (server) => server.client(ZoneService, makeSecret("lmtut")).listZones({}),
  ];
  for (const guess of guesses) {
    await using server = await startTestServer({ anonymousCallsPerSecond: 1 });
    // All at once, so that a slow machine cannot make them few a second.
    const attempts = Array.from({ length: 12 }, () => refused(guess(server)));
    const codes = new Set((await Promise.all(attempts)).map(({ code }) => code));
    // Sorted, because AVA compares sets by the order of what is in them.
    t.deepEqual([...codes].sort(), [Code.ResourceExhausted, Code.Unauthenticated].sort());
  }
});

function run(args: string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let errors = "";
  child.stderr.on("data", (data) => {
    errors += data;
  });
  return { child, lines: createInterface({ input: child.stdout }), errors: () => errors };
}

test("mistakes in the settings end the start with words and code 2", async (t) => {
  const { child, errors } = run(["--listen", "here", "--heartbeat-interval", "1"]);
  const [code] = await once(child, "close");
  t.is(code, 2);
  t.regex(errors(), /--listen: 'here' is not host:port; write for example/);
  t.regex(errors(), /--heartbeat-interval: '1' is not a span of time/);
  const unknown = run(["--lisen", "x"]);
  t.is((await once(unknown.child, "close"))[0], 2);
  t.regex(unknown.errors(), /lisen/);
});

test("after a kill -9 the server starts again on its embedded database with all it had; SIGTERM ends it in order", async (t) => {
  const dataDir = await mkdtemp(path.join(tmpdir(), "lumetry-main-"));
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  const start = async () => {
    const server = run([
      ...["--data-dir", dataDir, "--listen", "127.0.0.1:0"],
      ...["--ready-format", "json", "--log-level", "warn"],
    ]);
    for await (const line of server.lines) return { ...server, ready: JSON.parse(line) };
    throw new Error(server.errors());
  };
  const first = await start();
  t.regex(first.ready.setupSecret, /^lmtsu_/);
  first.child.kill("SIGKILL");
  await once(first.child, "close");
  const second = await start();
  t.regex(second.ready.setupSecret, /^lmtsu_/);
  t.false(second.errors().includes(second.ready.setupSecret));
  second.child.kill("SIGTERM");
  const [code] = await once(second.child, "close");
  t.is(code, 0);
  t.false(second.errors().includes("lmtsu_"));
});

test("a name is one line of text: control characters are refused, wherever they stand", async (t) => {
  await using server = await startTestServer();
  const owner = await setUp(server);
  const zones = server.client(ZoneService, owner.token);
  for (const displayName of [
    "",
    " ",
    "\u0007",
    "a\u001b[31mb",
    "\u001b]0;x",
    "\u009bx",
    "x\u0000",
  ]) {
    t.like(await refused(zones.createZone({ displayName })), { code: Code.InvalidArgument });
  }
  t.truthy((await zones.createZone({ displayName: "Zürich 🏔" })).zone);
});
