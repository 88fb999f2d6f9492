import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import { Capability } from "../../../gen/lumetry/access/v1/access_pb.js";
import {
  ChannelService,
  Delivery_Status as Status,
} from "../../../gen/lumetry/v1/channel_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { eventually } from "../../support/eventually.ts";
import { isSignedBy, type Receiver, startReceiver } from "../../support/receiver.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";
import { addWorker } from "../../support/worker.ts";

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer({ egressAllow: ["127.0.0.0/8"] });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const channels = () => server.client(ChannelService, owner.token);
let lastName = 0;
async function addChannel(
  url: string,
  more: { zoneId?: string; headers?: Record<string, string> } = {},
) {
  lastName += 1;
  const { channel, secret } = await channels().createChannel({
    displayName: `channel ${lastName}`,
    url,
    ...more,
  });
  return { channelId: channel?.channelId ?? "", secret };
}

const makeDue = (deliveryId: string) =>
  server.sql(
    `with due as (update work_items set due_at = wall_clock() where subject_id = $1 and state = 'due'
       returning 1) select pg_notify('lumetry_work', 'server') from due`,
    [deliveryId],
  );

/** Sends a test message to a receiver that fails: the first attempt is in the answer. */
async function fail(receiver: Receiver, channelId: string, status = 503) {
  receiver.answer = { status };
  const { delivery } = await channels().sendTestMessage({ channelId });
  if (!delivery) throw new Error("there is no delivery");
  return delivery;
}

test("a test message arrives, signed, with the channel's own headers, and its answer's body is not kept", async (t) => {
  await using receiver = await startReceiver();
  const { channelId, secret } = await addChannel(receiver.url, {
    headers: { authorization: "Bearer of-the-receiver" },
  });
  const { delivery } = await channels().sendTestMessage({ channelId });
  t.is(delivery?.status, Status.DELIVERED);
  t.is(delivery?.attempts[0]?.httpStatus, 204);
  t.is(receiver.received.length, 1);
  const [message] = receiver.received;
  if (!message) return;
  t.is(message.headers["webhook-id"], delivery?.deliveryId);
  t.is(message.headers.authorization, "Bearer of-the-receiver");
  t.true(isSignedBy(message, secret));
  t.is(JSON.parse(message.body).type, "channel.test");
  const stored = JSON.stringify(await server.sql("select * from delivery_attempts"));
  t.false(stored.includes("nobody keeps"));
});

test("a message that is not taken is tried again, under the same id, until it is", async (t) => {
  await using receiver = await startReceiver();
  const { channelId, secret } = await addChannel(receiver.url);
  const { deliveryId, status, nextAttemptTime } = await fail(receiver, channelId);
  t.is(status, Status.PENDING);
  const waitMs = Number(nextAttemptTime?.seconds) * 1000 - Date.now();
  t.true(waitMs > 0 && waitMs < 10_000, `${waitMs} ms until the next attempt`);
  receiver.answer = { status: 200 };
  await makeDue(deliveryId);
  const delivery = await eventually("it is delivered", async () => {
    const { delivery: now } = await channels().getDelivery({ deliveryId });
    return now?.status === Status.DELIVERED && now;
  });
  t.deepEqual(
    delivery.attempts.map(({ httpStatus }) => httpStatus),
    [200, 503],
  );
  t.is(delivery.attempts[1]?.failure, "the receiver answered with status 503");
  t.deepEqual(
    receiver.received.map(({ headers }) => headers["webhook-id"]),
    [deliveryId, deliveryId],
  );
  t.true(receiver.received.every((message) => isSignedBy(message, secret)));
});

test("the wait grows, obeys retry-after, and ends after a day in a dead letter that can be sent again", async (t) => {
  await using receiver = await startReceiver();
  const { channelId } = await addChannel(receiver.url);
  receiver.answer = { status: 429, headers: { "retry-after": "3600" } };
  const { delivery } = await channels().sendTestMessage({ channelId });
  const deliveryId = delivery?.deliveryId ?? "";
  t.true(Number(delivery?.nextAttemptTime?.seconds) * 1000 - Date.now() > 3_500_000);

  await server.sql(
    "update work_items set expires_at = wall_clock() + interval '1 second' where subject_id = $1",
    [deliveryId],
  );
  receiver.answer = { status: 500 };
  await makeDue(deliveryId);
  const isDead = async () => {
    const { delivery: now } = await channels().getDelivery({ deliveryId });
    return now?.status === Status.DEAD && now;
  };
  await eventually("it is dead", isDead);
  const listed = await channels().listDeliveries({ channelId, statuses: [Status.DEAD] });
  t.deepEqual(
    listed.deliveries.map((one) => one.deliveryId),
    [deliveryId],
  );
  t.is((await channels().getChannel({ channelId })).channel?.deadDeliveries, 1n);

  receiver.answer = { status: 200 };
  await channels().resendDelivery({ deliveryId });
  await eventually("it is delivered", async () => {
    const { delivery: now } = await channels().getDelivery({ deliveryId });
    return now?.status === Status.DELIVERED;
  });
  t.is(receiver.received.at(-1)?.headers["webhook-id"], deliveryId);
  const again = await t.throwsAsync(channels().resendDelivery({ deliveryId }), {
    instanceOf: ConnectError,
  });
  t.is(again?.code, Code.FailedPrecondition);
});

test("a receiver that is gone for good is not bothered again", async (t) => {
  await using receiver = await startReceiver();
  const { channelId } = await addChannel(receiver.url);
  const { status } = await fail(receiver, channelId, 410);
  t.is(status, Status.DEAD);
});

test("while a secret changes, messages are signed with both", async (t) => {
  await using receiver = await startReceiver();
  const { channelId, secret: old } = await addChannel(receiver.url);
  const { secret, channel } = await channels().rotateChannelSecret({ channelId });
  t.truthy(channel?.previousSecretExpireTime);
  await channels().sendTestMessage({ channelId });
  const [both] = receiver.received;
  t.true(both && isSignedBy(both, secret) && isSignedBy(both, old));

  const { secret: last } = await channels().rotateChannelSecret({
    channelId,
    overlap: durationFromMs(0),
  });
  await channels().sendTestMessage({ channelId });
  const [, one] = receiver.received;
  t.true(one && isSignedBy(one, last) && !isSignedBy(one, secret));
});

test("the server goes to no private network that its operator has not listed", async (t) => {
  for (const url of [
    "http://10.1.2.3/hook",
    "http://169.254.169.254/latest",
    "http://[fd00::1]/",
  ]) {
    const { channelId } = await addChannel(url);
    const { delivery } = await channels().sendTestMessage({ channelId });
    t.regex(delivery?.attempts[0]?.failure ?? "", /private network|never connected to/, url);
  }
});

test("a collector of the zone delivers where the server cannot reach", async (t) => {
  const { zone } = await server
    .client(ZoneService, owner.token)
    .createZone({ displayName: "inside" });
  const zoneId = zone?.zoneId ?? "";
  const worker = await addWorker(server, { token: owner.token, zoneId }, [
    Capability.DELIVER_WEBHOOK,
  ]);
  await worker.claim();
  const { channelId, secret } = await addChannel("http://10.1.2.3:8080/hook", {
    zoneId,
    headers: { "x-own": "of the channel" },
  });
  const waiting = worker.claim({ wait: durationFromMs(10_000) });
  const sending = channels().sendTestMessage({ channelId });
  const [item] = await waiting;
  if (item?.task.case !== "deliver") throw new Error("no delivery came");
  const { url, headers, body, deliveryId } = item.task.value;
  t.is(url, "http://10.1.2.3:8080/hook");
  t.is(headers["x-own"], "of the channel");
  t.true(isSignedBy({ headers, body: Buffer.from(body).toString() }, secret));
  const refused = { httpStatus: 0, failure: "10.1.2.3:8080 refused the connection" };
  await worker.report(item, { case: "delivery", value: refused });
  const { delivery } = await sending;
  t.is(delivery?.deliveryId, deliveryId);
  t.is(delivery?.attempts[0]?.collectorId, worker.collectorId);
  t.is(delivery?.attempts[0]?.failure, refused.failure);
  t.is(delivery?.status, Status.PENDING);
});

test("a receiver that hangs keeps no other channel waiting", async (t) => {
  await using slow = await startReceiver();
  await using quick = await startReceiver();
  slow.answer = undefined;
  const hanging = await addChannel(slow.url);
  // More than one channel may have under way, none of which will be answered.
  const stopping = new AbortController();
  const sending = Array.from({ length: 12 }, () =>
    channels()
      .sendTestMessage({ channelId: hanging.channelId }, { signal: stopping.signal })
      .catch(() => {}),
  );
  await eventually("they hang", () => slow.received.length >= 4);
  const { channelId } = await addChannel(quick.url);
  const { delivery } = await channels().sendTestMessage({ channelId });
  t.is(delivery?.status, Status.DELIVERED);
  t.is(slow.received.length, 4);
  stopping.abort();
  await Promise.all(sending);
});

test("secret headers are bound to the receiver's host, and shown to nobody", async (t) => {
  const { channelId } = await addChannel("https://hooks.example.com/a", {
    headers: { authorization: "Bearer secret-of-the-receiver" },
  });
  const error = await t.throwsAsync(
    channels().updateChannel({ channelId, url: "https://attacker.example/a" }),
    { instanceOf: ConnectError, message: /bound to https:\/\/hooks.example.com:443/ },
  );
  t.is(error?.code, Code.FailedPrecondition);
  const { channel } = await channels().getChannel({ channelId });
  t.deepEqual(channel?.headerNames, ["authorization"]);
  const [row] = await server.sql<{ text: string }>(
    "select row_to_json(channels)::text as text from channels where channel_id = $1",
    [channelId],
  );
  t.false(row?.text.includes("secret-of-the-receiver") || row?.text.includes("whsec_"));
  for (const [request, words] of [
    [{ headers: { headers: { "webhook-id": "x" } } }, /set by the server/],
    [{ url: "ftp://example.com/" }, /url/],
  ] as const) {
    await t.throwsAsync(channels().updateChannel({ channelId, ...request }), { message: words });
  }
});
