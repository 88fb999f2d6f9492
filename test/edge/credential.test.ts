import test from "ava";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { edgeCalls } from "../support/collector.ts";
import { askStatus } from "../support/collector-process.ts";
import { eventually } from "../support/eventually.ts";
import {
  atCall,
  type IdentityFault,
  isFirstUse,
  rotateCredential,
  sendHeartbeat,
  whileReplacing,
} from "../support/identity-faults.ts";
import { type Installation, install } from "../support/installation.ts";
import { refused } from "../support/refusal.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let owner: Owner;

test.before(async () => {
  server = await startTestServer({ heartbeatInterval: 1000 });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const NEEDS_A_PERSON = 78;

const collectors = () => server.client(CollectorService, owner.token);

/** Waits until a rotation that was asked for is over on both sides. */
async function rotated(installation: Installation, before: string | undefined): Promise<void> {
  await eventually("the credential is another one, and the only one", async () => {
    const { credential, nextCredential } = await installation.identity();
    return credential !== before && nextCredential === undefined;
  });
  const { rotationRequested } = await installation.shown();
  if (rotationRequested) throw new Error("the rotation is still asked for");
}

test("asked to rotate, it replaces its credential by itself, and the old one opens nothing any more", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start();
  await installation.connected(collector);
  const { credential = "" } = await installation.identity();
  await collectors().requestCollectorRotation({ collectorId: installation.collectorId });
  await rotated(installation, credential);
  await installation.heartbeats(2);
  t.deepEqual(await installation.credentials(), { active: 1, ended: 1 });
  const { message } = await refused(edgeCalls(server, credential).config.getConfig({}));
  t.regex(message, /has ended/);
  t.is(collector.ending, undefined);
});

test("killed at every step of rotating, it is never locked out, and at most two credentials are valid", async (t) => {
  await using installation = await install(server, owner);
  const first = installation.start();
  await installation.connected(first);
  await first.stop();
  const { credential } = await installation.identity();
  await collectors().requestCollectorRotation({ collectorId: installation.collectorId });
  const steps: [string, IdentityFault][] = [
    ["the server has not heard", atCall(rotateCredential, "unheard")],
    ["the answer has not arrived", atCall(rotateCredential, "unanswered")],
    ["the new credential is not on disk", whileReplacing("written")],
    ["the new credential is not used", whileReplacing("replaced")],
    ["the first use has not been heard", atCall(sendHeartbeat, "unheard", isFirstUse)],
    ["the first use is not answered", atCall(sendHeartbeat, "unanswered", isFirstUse)],
    ["the old one is not forgotten", whileReplacing("written")],
    ["all is noted", whileReplacing("replaced")],
  ];
  for (const [step, strike] of steps) {
    t.true(await strike(installation), step);
    const { active = 0, pending = 0 } = await installation.credentials();
    t.true(active === 1 && pending <= 1, step);
  }
  await installation.connected(installation.start());
  await rotated(installation, credential);
  const { active, pending } = await installation.credentials();
  t.deepEqual({ active, pending }, { active: 1, pending: undefined });
});

test("a new credential that is refused is given up for the old one, and another is asked for", async (t) => {
  await using installation = await install(server, owner);
  const first = installation.start();
  await installation.connected(first);
  await first.stop();
  const { credential } = await installation.identity();
  await collectors().requestCollectorRotation({ collectorId: installation.collectorId });
  t.true(await whileReplacing("replaced")(installation));
  const { nextCredential } = await installation.identity();
  await server.sql(
    "update edge_credentials set confirm_by = wall_clock() - interval '1 second' where state = 'pending' and edge_id = $1",
    [installation.collectorId],
  );
  await installation.connected(installation.start());
  await rotated(installation, credential);
  t.not((await installation.identity()).credential, nextCredential);
});

test("revoked, it ends with 78 and clear words, and so does every new start; its status says so", async (t) => {
  await using installation = await install(server, owner);
  const collector = installation.start();
  await installation.connected(collector);
  await collectors().revokeCollector({ collectorId: installation.collectorId });
  const words = /the (credential|collector) was revoked, for good/;
  const { code, errors } = await collector.ended;
  t.is(code, NEEDS_A_PERSON);
  t.regex(errors.trim().split("\n").at(-1) ?? "", words);
  const again = await installation.start().ended;
  t.is(again.code, NEEDS_A_PERSON);
  t.regex(again.errors, words);
  const status = await askStatus(installation.dataDir);
  t.is(status.code, 1);
  t.regex(status.output, /^state +refused: the (credential|collector) was revoked, for good/);
});
