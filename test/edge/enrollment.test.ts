import { existsSync } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { readStatus } from "../../edge/status.ts";
import { AuditService } from "../../gen/lumetry/v1/audit_service_pb.js";
import { enroll } from "../support/collector.ts";
import { startGateway } from "../support/gateway.ts";
import {
  atCall,
  enrollCollector,
  getConfig,
  type IdentityFault,
  whileReplacing,
} from "../support/identity-faults.ts";
import { type Installation, install } from "../support/installation.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const NEEDS_A_PERSON = 78;

const actionsOn = async ({ collectorId: targetId }: Installation) => {
  const audit = server.client(AuditService, owner.token);
  return (await audit.listAuditEvents({ targetId })).auditEvents.map(({ action }) => action);
};

test("killed at every step of enrolling, it ends up with one identity by itself", async (t) => {
  await using installation = await install(server, owner);
  const steps: [string, IdentityFault][] = [
    ["its nonce is not on disk", whileReplacing("written")],
    ["it has not asked", whileReplacing("replaced")],
    ["the server has not heard", atCall(enrollCollector, "unheard")],
    ["the answer has not arrived", atCall(enrollCollector, "unanswered")],
    ["its identity is not on disk", whileReplacing("written")],
    ["its identity is not used", whileReplacing("replaced")],
    ["the first use is not answered", atCall(getConfig, "unanswered")],
    ["the first use is not noted", whileReplacing("written")],
    ["all is noted", whileReplacing("replaced")],
  ];
  for (const [step, strike] of steps) t.true(await strike(installation), step);
  await installation.connected(installation.start());
  const { collectorId } = installation;
  t.like(await installation.identity(), { edgeId: collectorId, enrollmentNonce: undefined });
  const { active, pending } = await installation.credentials();
  t.deepEqual({ active, pending }, { active: 1, pending: undefined });
  // Once for each answer that never came to be on disk, and once more.
  const enrolled = "collector.enrolled";
  t.deepEqual(await actionsOn(installation), [enrolled, enrolled, enrolled, "collector.created"]);
});

test("a request that arrives late, after a restart has enrolled, locks nobody out", async (t) => {
  await using installation = await install(server, owner);
  await using gateway = await startGateway(server);
  const arrives = Promise.withResolvers<() => Promise<unknown>>();
  const stop = gateway.intercept(enrollCollector, ({ pass }) => {
    arrives.resolve(pass);
    return new Promise(() => {});
  });
  const first = installation.start({ server: gateway.url });
  const late = await arrives.promise;
  await first.kill();
  stop();
  let uses = 0;
  gateway.intercept(getConfig, async ({ pass }) => {
    uses += 1;
    if (uses === 1) await late();
    return pass();
  });
  await installation.connected(installation.start({ server: gateway.url }));
  t.is(uses, 2);
  t.is((await installation.credentials()).active, 1);
});

const refusals: [string, (installation: Installation) => Promise<unknown>, RegExp][] = [
  [
    "expired",
    ({ collectorId }) =>
      server.sql(
        "update collectors set token_expires_at = wall_clock() - interval '1 second' where collector_id = $1",
        [collectorId],
      ),
    /has expired; ask an administrator for a replacement/,
  ],
  ["used", ({ token }) => enroll(server, token), /has been used; register another collector/],
  [
    "unknown",
    ({ collectorId }) =>
      server.sql("update collectors set token_hash = null where collector_id = $1", [collectorId]),
    /is unknown or was replaced; ask an administrator/,
  ],
];
for (const [what, spoil, words] of refusals) {
  test(`with a token that is ${what} it ends with 78 and the server's words`, async (t) => {
    await using installation = await install(server, owner);
    await spoil(installation);
    const { code, errors } = await installation.start().ended;
    t.is(code, NEEDS_A_PERSON);
    t.regex(errors.trim().split("\n").at(-1) ?? "", words);
    const status = await readStatus(installation.dataDir);
    t.is(status?.state, "refused");
    t.regex(status?.problem ?? "", words);
  });
}

test("without an identity and without a token it ends with 78 and says what to do", async (t) => {
  await using installation = await install(server, owner);
  const { code, errors } = await installation.start({ token: undefined }).ended;
  t.is(code, NEEDS_A_PERSON);
  t.regex(errors, /holds no identity yet: give the one-time token .* --enrollment-token-file/);
});

test("once enrolled, the token's file is gone and not missed; the identity is readable by its owner alone", async (t) => {
  await using installation = await install(server, owner);
  const file = path.join(installation.dataDir, "token");
  await writeFile(file, `${installation.token}\n`);
  const options = { token: undefined, flags: ["--enrollment-token-file", file] };
  const first = installation.start(options);
  await installation.connected(first);
  await first.stop();
  t.false(existsSync(file), "a token in its own directory is removed, once it has been used");
  await installation.connected(installation.start(options));
  t.is((await stat(path.join(installation.dataDir, "identity.json"))).mode & 0o777, 0o600);
});

test("what only a person can mend ends it with 78 and a sentence: no authority, a damaged identity, no place", async (t) => {
  await using installation = await install(server, owner);
  const { dataDir, token } = installation;
  const junk = path.join(dataDir, "junk");
  await writeFile(junk, "junk");
  for (const [options, words] of [
    [{ caFile: "/nowhere/ca.crt" }, /--ca: ENOENT.*\/nowhere\/ca\.crt/],
    [{ caFile: junk }, /--ca: \S+junk holds no certificate in PEM form/],
    [{ dataDir: "/proc/lumetry" }, /--data-dir: .*\/proc\/lumetry/],
    [{ dataDir: path.join(junk, "below") }, /--data-dir: .*junk/],
  ] as const) {
    const { code, errors } = await installation.start(options).ended;
    t.is(code, 78, errors);
    t.regex(errors, words);
    t.notRegex(errors, /^ {4}at /m);
  }
  for (const [content, words] of [
    ["{", /identity\.json is damaged; move it away and enroll again/],
    ['{"credential": 7}', /identity\.json is damaged/],
    ['{"edgeId": "agt.1", "credential": "c"}', /belongs to agt\.1, which is no collector/],
  ] as const) {
    await writeFile(path.join(dataDir, "identity.json"), content);
    const { code, errors } = await installation.start({ token }).ended;
    t.is(code, 78);
    t.regex(errors, words);
  }
});
