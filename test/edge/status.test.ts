import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import { askStatus } from "../support/collector-process.ts";
import { eventually } from "../support/eventually.ts";
import { install } from "../support/installation.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

test("a second process on the same data directory ends and names the owner, which goes on", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start();
  await installation.connected(collector);
  const identity = await installation.identity();
  const { code, errors } = await installation.start().ended;
  t.is(code, 1);
  t.regex(errors, new RegExp(`in use by process ${collector.child.pid} since `));
  await installation.heartbeats(2);
  t.is(collector.ending, undefined);
  t.deepEqual(await installation.identity(), identity);
  t.is((await collector.status())?.state, "connected");
  t.is((await installation.shown()).processes.length, 1);
});

test("lumetry collector status tells on the machine itself how the collector is doing", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start();
  await installation.connected(collector);
  await eventually("something was uploaded", async () => (await collector.status())?.lastUploadAt);

  const words = await askStatus(installation.dataDir);
  t.is(words.code, 0);
  const lines = new Map(
    words.output
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, 15).trim(), line.slice(16)]),
  );
  t.is(lines.get("state"), "connected");
  t.is(lines.get("server"), server.url);
  t.is(lines.get("collector"), installation.collectorId);
  t.regex(
    lines.get("version") ?? "",
    new RegExp(`process ${collector.child.pid}, started (just now|.* ago)`),
  );
  t.regex(lines.get("last heartbeat") ?? "", /^just now$| ago$/);
  t.regex(lines.get("last upload") ?? "", /^just now$| ago$/);
  t.regex(lines.get("queue") ?? "", /^0 points, 0\.\d MB of 500\.0 MB$/);
  t.is(lines.get("lost"), "0 at the limit, 0 to damage, 0 refused, 0 unreadable to the server");
  t.is(lines.get("clock"), "right");
  t.is(lines.get("configuration"), "defaults");
  t.is(lines.get("warnings"), "none");

  const json = await askStatus(installation.dataDir, "--json");
  t.is(json.code, 0);
  t.like(JSON.parse(json.output), {
    state: "connected",
    pid: collector.child.pid,
    edgeId: installation.collectorId,
    routes: [{ kind: "direct", url: server.url, inUse: true }],
    configRevision: "0",
    warnings: [],
    queue: { queuedPoints: 0, droppedPoints: 0, limitBytes: 500_000_000 },
  });

  await collector.kill();
  const dead = await askStatus(installation.dataDir);
  t.is(dead.code, 1);
  t.regex(dead.output, /^state +not running$/m);
});

test("asked about a directory that holds no collector, it says how to name one, and makes nothing", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "lumetry-nothing-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const { code, errors } = await askStatus(directory);
  t.is(code, 1);
  t.regex(errors, /holds no collector; name its directory with --data-dir/);
  t.deepEqual(await readdir(directory), []);
});
