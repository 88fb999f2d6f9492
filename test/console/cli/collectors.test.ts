import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import test from "ava";
import { Capability } from "../../../gen/lumetry/access/v1/access_pb.js";
import { QueueHealth_Drop_Reason } from "../../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import {
  CreateCollectorResponseSchema,
  GetCollectorResponseSchema,
  ListCollectorContactsResponseSchema,
  ListCollectorDropsResponseSchema,
  ListCollectorsResponseSchema,
} from "../../../gen/lumetry/v1/collector_service_pb.js";
import {
  ListConfigurationsResponseSchema,
  PublishConfigurationResponseSchema,
} from "../../../gen/lumetry/v1/configuration_service_pb.js";
import { EdgeStatus as Status } from "../../../gen/lumetry/v1/edge_pb.js";
import { as, openShell, type Shell } from "../../support/cli.ts";
import { addCollector, makeProcess } from "../../support/collector.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
let shell: Shell;

test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
  shell = await openShell();
});

test.after.always(async () => {
  await shell?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

const asOwner = () => ({ environment: as(server, owner.token) });
const type = (...args: string[]) => shell.lumetry(args, asOwner());

test("a new collector comes with the command for its host, and its token's deadline", async (t) => {
  const { stdout, stderr } = await type(
    "collectors",
    "create",
    "edge-1",
    "--zone",
    "default",
    "--token-lifetime",
    "2h",
  );
  t.regex(stdout, /The collector "edge-1" was created: col\.\w+/, stderr);
  t.regex(stdout, /works once, until it ends at \S+ \S+, in (119 minutes|1 hour|2 hours)\./);
  t.regex(
    stdout,
    /\n {2}LUMETRY_ENROLLMENT_TOKEN=lmtce_\w+ lumetry collector --server https:\S+ --ca ca\.pem\n/,
  );
  t.true(stdout.includes(`ca.pem is ${server.caFile}: copy it to the host.`));

  const file = path.join(shell.home, "token");
  const replaced = await type("collectors", "replace-token", "edge-1", "--write-token", file);
  t.regex(replaced.stdout, /The earlier token of edge-1 is void\./, replaced.stderr);
  t.true(replaced.stdout.includes(`--enrollment-token-file ${file}`));
  t.notRegex(replaced.stdout, /lmtce_/);
  t.regex(await readFile(file, "utf8"), /^lmtce_\w+\n$/);
  t.is((await stat(file)).mode & 0o777, 0o600);
  const again = await type("collectors", "create", "edge-2", "--write-token", file);
  t.is(again.code, 2);
  t.regex(again.stderr, /exists already/);
});

test("where there is an installer, the command that installs the collector is shown first, with its token or its file", async (t) => {
  await using own = await startTestServer({
    installerUrlLinux: "https://downloads.example.com/agent/install.sh",
  });
  const { token: session } = await setUp(own);
  const by = { environment: as(own, session) };
  const { stdout, stderr } = await shell.lumetry(["collectors", "create", "db-7"], by);
  const [, token = ""] = /LUMETRY_ENROLLMENT_TOKEN=(lmtce_\w+) /.exec(stdout) ?? [];
  t.not(token, "", stderr);
  t.regex(
    stdout,
    // A document in it ends with a line that is its mark alone.
    /\nPEM\ncurl -fsSL \\\n {2}https:\/\/downloads\.example\.com\/agent\/install\.sh \|\n {2}sudo bash -s -- \\\n {2}--component collector \\\n/,
  );
  t.true(stdout.includes(`  --enroll-token ${token}`));
  t.regex(stdout, /\. To start it by hand, run on the host:\n/);

  // A name that a shell would take apart, and that a replacement would.
  const file = path.join(shell.home, "its $& token");
  const replace = ["collectors", "replace-token", "db-7", "--write-token"];
  const moved = await shell.lumetry([...replace, file], by);
  t.true(moved.stdout.includes(`  --enroll-token-file '${file}'`), moved.stdout + moved.stderr);
  t.true(moved.stdout.includes(`--enrollment-token-file '${file}'`));
  t.notRegex(moved.stdout, /lmtce_/);

  const answer = await shell.ask(
    CreateCollectorResponseSchema,
    ["collectors", "create", "db-8", "--write-token", path.join(shell.home, "token-8")],
    by,
  );
  t.true(answer.commands?.linux.includes(`  --enroll-token-file ${shell.home}/token-8 \\\n`));
  t.notRegex(JSON.stringify([answer.commands, answer.enrollmentToken?.secret]), /lmtce_/);
});

test("the list shows status, age, queue, skew and config, and what needs attention", async (t) => {
  const { credential, collectorId } = await addCollector(server, owner, "busy");
  await makeProcess(server, credential).beat({
    sentTime: timestampFromMs(Date.now() + 90_000),
    queue: {
      queueId: "q",
      queuedPoints: 12_345n,
      queuedBytes: 1_000_000n,
      limitBytes: 500_000_000n,
      droppedPoints: 7n,
      drops: [
        {
          dropId: 1n,
          points: 7n,
          reason: QueueHealth_Drop_Reason.LIMIT,
          startTime: timestampFromMs(Date.now() - 60_000),
          endTime: timestampFromMs(Date.now() - 30_000),
        },
      ],
    },
  });
  const { stdout, stderr } = await type("collectors", "list", "--status", "active");
  t.regex(stdout, /^NAME +ID +STATUS +LAST SEEN +ZONE +VERSION +QUEUED +DROPPED +SKEW +CONFIG\n/);
  t.regex(
    stdout,
    /busy +col\.\w+ +active +\w+ [\w ]+ +default +0\.0\.1 +12,345 +7 +\+\d+\S* s +default/,
    stderr,
  );
  t.regex(stdout, /\n! busy: .*clock/i);

  const shown = await type("collectors", "show", "BUSY");
  t.regex(shown.stdout, /queue +12,345 points, 1 MB of 500 MB/, shown.stderr);
  t.regex(shown.stdout, /host +host-1/);

  const heard = await type("collectors", "heartbeats", "busy");
  t.regex(heard.stdout, /^FROM +TO +AGE +FOR +HEARTBEATS +SILENT BEFORE\n/, heard.stderr);
  const contacts = await shell.ask(
    ListCollectorContactsResponseSchema,
    ["collectors", "heartbeats", collectorId],
    asOwner(),
  );
  t.deepEqual(
    contacts.contacts.map(({ heartbeats }) => heartbeats),
    [1n],
  );

  // Of three stretches two are shown, and the silence before the older of these is known.
  await server.sql(
    `update edge_contacts set started_at = wall_clock() - interval '9 hours',
       ended_at = wall_clock() - interval '8 hours' where edge_id = $1`,
    [collectorId],
  );
  await server.sql(
    `insert into edge_contacts (workspace_id, edge_id, started_at, ended_at)
     select workspace_id, edge_id, wall_clock() - ago, wall_clock() - ago + interval '1 hour'
     from edges, unnest(array[interval '5 hours', interval '1 hour']) as ago where edge_id = $1`,
    [collectorId],
  );
  const limited = await type("collectors", "heartbeats", "busy", "--limit", "2");
  const lines = limited.stdout.trimEnd().split("\n");
  t.is(lines.length, 3, limited.stdout);
  t.regex(lines[2] ?? "", /1 hour +1 +3 hours$/);
  const whole = await type("collectors", "heartbeats", "busy", "--limit", "3");
  const [, , , first = ""] = whole.stdout.split("\n");
  t.regex(first, /1 hour +1\s*$/, "before the first heartbeat is no silence");
  const answered = await shell.ask(
    ListCollectorContactsResponseSchema,
    ["collectors", "heartbeats", collectorId, "--limit", "2"],
    asOwner(),
  );
  t.is(answered.contacts.length, 2, "the one more is for the words only");

  const drops = await type("collectors", "drops", "busy");
  t.regex(drops.stdout, /\d\d:\d\d:\d\d +\d+ \w+ ago +7 +limit/, drops.stderr);
  const ledger = await shell.ask(
    ListCollectorDropsResponseSchema,
    ["collectors", "drops", collectorId],
    asOwner(),
  );
  t.is(ledger.drops[0]?.points, 7n);
});

test("a collector is renamed, granted, rotated and revoked", async (t) => {
  const { collectorId } = await addCollector(server, owner, "plain");
  t.regex((await type("collectors", "rename", "plain", "fancy")).stdout, /now named "fancy"/);
  const granted = await type("collectors", "grant", "fancy", "poll-source", "test_source");
  t.is(granted.stdout, "fancy is granted poll_source, test_source.\n", granted.stderr);
  const back = await type("collectors", "grant", "fancy", "poll_source", "--take-back");
  t.is(back.stdout, "fancy is granted test_source.\n");
  t.is((await type("collectors", "rotate", "fancy")).code, 0);
  const { collector } = await shell.ask(
    GetCollectorResponseSchema,
    ["collectors", "show", "fancy"],
    asOwner(),
  );
  t.deepEqual(collector?.grantedCapabilities, [Capability.TEST_SOURCE]);
  t.true(collector?.rotationRequested);

  const unasked = await type("collectors", "revoke", "fancy");
  t.is(unasked.code, 2);
  t.regex(unasked.stderr, /Revocation is final[\s\S]*--yes/);
  const revoked = await type("collectors", "revoke", "fancy", "--yes");
  t.regex(revoked.stdout, /fancy is revoked/, revoked.stderr);
  const { collectors } = await shell.ask(
    ListCollectorsResponseSchema,
    ["collectors", "list", "--status", "revoked"],
    asOwner(),
  );
  t.true(collectors.some((each) => each.collectorId === collectorId));
  t.true(collectors.every(({ status }) => status === Status.REVOKED));
});

test("two with one name are told apart by id, but one that is revoked does not count", async (t) => {
  const create = () =>
    shell.ask(
      CreateCollectorResponseSchema,
      ["collectors", "create", "twin", "--zone", "default"],
      asOwner(),
    );
  const [first, second] = [await create(), await create()];
  const { code, stderr } = await type("collectors", "show", "Twin");
  t.is(code, 1);
  t.regex(stderr, /2 collectors are named "Twin"\.\nSay which one by its id:/);
  for (const { collector } of [first, second]) {
    t.true(stderr.includes(collector?.collectorId ?? "?"));
  }
  await type("collectors", "revoke", first.collector?.collectorId ?? "", "--yes");
  const { collector } = await shell.ask(
    GetCollectorResponseSchema,
    ["collectors", "show", "twin"],
    asOwner(),
  );
  t.is(collector?.collectorId, second.collector?.collectorId);
});

test("a suspected duplicate is shown with both processes, and dismissed", async (t) => {
  const { credential } = await addCollector(server, owner, "cloned");
  const original = makeProcess(server, credential, "host-1");
  const clone = makeProcess(server, credential, "host-2");
  for (const each of [original, clone, original, original]) await each.beat();
  const { stdout, stderr } = await type("collectors", "show", "cloned");
  t.regex(stdout, /status +duplicate_suspected/, stderr);
  t.regex(stdout, /\n! cloned: /);
  t.regex(stdout, /host-1[\s\S]*host-2|host-2[\s\S]*host-1/);
  const dismissed = await type("collectors", "dismiss-duplicate", "cloned");
  t.regex(dismissed.stdout, /cloned is active again/, dismissed.stderr);
});

test("configuration is checked, published, compared and reverted", async (t) => {
  await type("collectors", "create", "tuned", "--zone", "default");
  const file = path.join(shell.home, "config.json");
  const document = (seconds: number) =>
    `{\n  "hostMetrics": {\n    "intervalSeconds": ${seconds}\n  }\n}\n`;
  await writeFile(file, document(5));

  const invalid = await type("config", "publish", "tuned", file);
  t.is(invalid.code, 1);
  t.regex(invalid.stderr, /intervalSeconds.*10/i);

  await writeFile(file, document(30));
  const dry = await type("config", "publish", "tuned", file, "--dry-run");
  t.is(dry.stdout, "The document is valid; nothing was published.\n", dry.stderr);
  const would = await type("config", "diff", "tuned", "--file", file);
  t.regex(would.stdout, /^--- the defaults\n[\s\S]*\n\+ {4}"intervalSeconds": 30\n/, would.stderr);
  const first = await type("config", "publish", "tuned", file, "--expect-revision", "0");
  t.regex(first.stdout, /Published as revision 1; tuned fetches it/, first.stderr);
  const raced = await type("config", "publish", "tuned", file, "--expect-revision", "0");
  t.is(raced.code, 1);
  t.regex(raced.stderr, /Look at how it is now, and try again\./);

  const second = await shell.ask(
    PublishConfigurationResponseSchema,
    ["config", "publish", "tuned"],
    { ...asOwner(), input: document(60).replace("{", '{ "later": 1,') },
  );
  t.is(second.config?.revision, 2n);
  t.deepEqual(second.unknownKeys, ["later"]);

  const diff = await type("config", "diff", "tuned");
  t.regex(diff.stdout, /^--- revision 1\n\+\+\+ revision 2\n@@/, diff.stderr);
  t.regex(diff.stdout, /\n- {4}"intervalSeconds": 30\n\+ {4}"intervalSeconds": 60\n/);
  t.regex((await type("config", "diff", "tuned", "1", "--file", file)).stdout, /no difference/);

  t.regex((await type("config", "revert", "tuned", "1")).stdout, /again, as revision 3/);
  const history = await type("config", "history", "tuned");
  t.regex(history.stdout, / 3 +\w+ [\w ]+ +Olivia Owner +waiting +revision 1\n/, history.stdout);
  const { configs } = await shell.ask(
    ListConfigurationsResponseSchema,
    ["config", "history", "tuned", "--limit", "2"],
    asOwner(),
  );
  t.deepEqual(
    configs.map(({ revision }) => revision),
    [3n, 2n],
  );
  t.is((await type("config", "show", "tuned", "--document")).stdout.trim(), document(30).trim());
  t.regex((await type("config", "show", "tuned", "--revision", "2")).stdout, /"later": 1/);
});

test.serial("with several zones, a collector's has to be named", async (t) => {
  await type("zones", "create", "Lyon");
  const { code, stderr } = await type("collectors", "create", "lost");
  t.is(code, 2);
  t.regex(stderr, /more than one zone\.\nName one with --zone: default, Lyon/);
  const { collector } = await shell.ask(
    CreateCollectorResponseSchema,
    ["collectors", "create", "found", "--zone", "lyon", "--grant", "poll_source"],
    asOwner(),
  );
  t.deepEqual(collector?.grantedCapabilities, [Capability.POLL_SOURCE]);
  const listed = await type("collectors", "list", "--zone", "Lyon");
  t.regex(listed.stdout, /found +col\.\w+ +pending +never +Lyon/);
});
