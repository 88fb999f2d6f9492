import { writeFile } from "node:fs/promises";
import path from "node:path";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { CreateSourceResponseSchema } from "../../../gen/lumetry/v1/source_service_pb.js";
import { as, openShell, type Shell } from "../../support/cli.ts";
import { startReceiver } from "../../support/receiver.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { addWorker, assigned, makeDue, reading, slowDown } from "../../support/worker.ts";

let server: TestServer;
let owner: Owner;
let shell: Shell;
let environment: Record<string, string>;
test.before(async () => {
  server = await startTestServer({ egressAllow: ["127.0.0.0/8"] });
  owner = await setUp(server);
  await slowDown(server);
  shell = await openShell();
  environment = as(server, owner.token);
});
test.after.always(async () => {
  await shell?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const lumetry = (...args: string[]) => shell.lumetry(args, { environment });

test.serial("a source is created, tested, shown, edited, paused and deleted", async (t) => {
  const worker = await addWorker(server, owner);
  await worker.claim();
  const { source } = await shell.ask(
    CreateSourceResponseSchema,
    [
      "sources",
      "create",
      "orders db",
      "--zone",
      owner.zoneId,
      "--tcp",
      "db.internal:5432",
      "--every",
      "5s",
    ],
    { environment },
  );
  const sourceId = source?.sourceId ?? "";
  await assigned(server, sourceId);

  const testing = lumetry("sources", "test", "orders db");
  const [item] = await worker.claim({ wait: durationFromMs(10_000), mostPolls: 0 });
  if (!item) throw new Error("no test came");
  await worker.calls.reportProgress({
    processId: worker.processId,
    claim: { workId: item.workId, claimToken: item.claimToken, fence: item.fence },
    phase: "connect",
    message: "connecting to 10.0.0.7:5432",
  });
  const phases = [{ name: "dns", duration: durationFromMs(3) }];
  await worker.report(item, reading(17, { phases, facts: { address: "10.0.0.7" } }));
  const tested = await testing;
  t.is(tested.code, 0, tested.stderr);
  t.regex(tested.stderr, /begun by collector .*\n.*connecting to 10\.0\.0\.7:5432/);
  t.regex(tested.stdout, /^It answered as it should in 12 ms\./);
  t.regex(tested.stdout, /dns 3\.0 ms/);
  t.regex(tested.stdout, /answer +17/);

  await makeDue(server, sourceId);
  const polls = await worker.claim();
  const poll = polls.find(({ task }) => task.case === "poll");
  if (!poll) throw new Error("no poll came");
  const claimed = await lumetry("work", "list");
  t.regex(claimed.stdout, /poll +orders db +claimed +lease ends in \d/);
  const failure = "10.0.0.7:5432 refused the connection";
  await worker.report(poll, reading(0, { up: false, failure, series: [] }));
  const listed = await lumetry("sources", "list");
  t.regex(listed.stdout, /orders db .* db\.internal:5432 +down .* refused the connection/);
  const shown = await lumetry("sources", "show", "ORDERS DB");
  t.regex(shown.stdout, /polls +1 done/);
  t.regex((await lumetry("work", "collectors")).stdout, /yes .* just now|yes/);

  t.regex((await lumetry("sources", "edit", "orders db", "--every", "30s")).stdout, /every +30 s/);
  t.regex((await lumetry("sources", "pause", "orders db")).stdout, /not polled any more/);
  t.regex((await lumetry("sources", "list")).stdout, /paused/);
  t.regex((await lumetry("sources", "resume", "orders db")).stdout, /polled again within 30 s/);
  t.regex((await lumetry("sources", "delete", "orders db")).stdout, /was deleted/);
  t.regex((await lumetry("sources", "list")).stdout, /no sources yet/);
});

test.serial("settings and secrets come from files, and mistakes in them are told", async (t) => {
  const file = (name: string) => path.join(shell.home, name);
  const write = async (name: string, text: string) => {
    await writeFile(file(name), text);
    return file(name);
  };
  const query = {
    postgresQuery: {
      target: { host: "db", port: 5432 },
      database: "shop",
      username: "reader",
      query: "select 1 as one",
      metrics: [{ column: "one", metric: "one" }],
    },
  };
  const settings = await write("settings.json", JSON.stringify(query));
  const password = await write("password", "a password\n");
  const create = (...more: string[]) =>
    lumetry("sources", "create", "shop", "--zone", owner.zoneId, ...more);
  const created = await create("--settings", settings, "--password-file", password);
  t.is(created.code, 0, created.stderr);
  const shown = await lumetry("sources", "show", "shop");
  t.regex(shown.stdout, /secrets +password \(for db:5432 only\)/);
  t.false(shown.stdout.includes("a password"));

  const mistakes: [string[], RegExp][] = [
    [[], /not said what the source is/],
    [["--tcp", "db"], /Write host:port/],
    [["--tcp", "db:1", "--http", "http://a/"], /different things/],
    [["--settings", await write("bad.json", '{"tcpCheck": {"target": {"hots": "db"}}}')], /hots/],
    [["--settings", "missing.json"], /cannot be read/],
    [["--tcp", "db:1", "--every", "1s"], /Interval: must be/],
  ];
  for (const [more, words] of mistakes) {
    const { code, stderr } = await create(...more);
    t.not(code, 0);
    t.regex(stderr, words);
  }
  await server.sql("update workers set lease_until = wall_clock() - interval '1 second'");
  const nobody = await lumetry("sources", "test", "shop");
  t.is(nobody.code, 1);
  t.regex(nobody.stderr, /no collector of the zone .* is connected/i);
});

test.serial(
  "a channel is created, tested, rotated and deleted, and its messages are shown",
  async (t) => {
    await using receiver = await startReceiver();
    const created = await lumetry("channels", "create", "ops", receiver.url);
    t.is(created.code, 0, created.stderr);
    t.regex(created.stdout, /whsec_/);
    const sent = await lumetry("channels", "test", "ops");
    t.is(sent.code, 0, sent.stderr);
    t.regex(sent.stdout, /status +delivered/);
    t.regex(sent.stdout, /the server +204/);
    receiver.answer = { status: 410 };
    const dead = await lumetry("channels", "test", "ops");
    t.is(dead.code, 1);
    t.regex(dead.stdout, /answered with status 410/);
    t.regex((await lumetry("channels", "list")).stdout, /ops .* 0 +1$/m);
    t.regex((await lumetry("channels", "list", "--search", "OP")).stdout, /^ops /m);
    t.notRegex((await lumetry("channels", "list", "--search", "_ps")).stdout, /^ops /m);
    const listed = await lumetry("channels", "deliveries", "--outcome", "dead", "--channel", "ops");
    const [id = ""] = /dlv\.[a-z]{10}/.exec(listed.stdout) ?? [];
    receiver.answer = { status: 200 };
    t.regex((await lumetry("channels", "resend", id)).stdout, /is tried again/);
    t.regex((await lumetry("channels", "deliveries", id)).stdout, /channel\.test/);
    t.regex((await lumetry("channels", "rotate", "ops")).stdout, /whsec_/);
    t.regex((await lumetry("channels", "show", "ops")).stdout, /the one before signs until/);
    t.regex((await lumetry("channels", "delete", "ops")).stdout, /was deleted/);
  },
);
