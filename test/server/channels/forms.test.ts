import test from "ava";
import {
  ChannelService,
  Channel_Kind as Kind,
} from "../../../gen/lumetry/v1/channel_service_pb.js";
import { openAlerts } from "../../support/alerts.ts";
import { eventually } from "../../support/eventually.ts";
import { isSignedBy, startReceiver } from "../../support/receiver.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../../support/server.ts";

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer({
    egressAllow: ["127.0.0.0/8"],
    publicUrl: "https://lumetry.example.com",
  });
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

const channels = () => server.client(ChannelService, owner.token);

test("the same alerts arrive in the forms of Slack and of Alertmanager", async (t) => {
  await using slack = await startReceiver();
  await using alertmanager = await startReceiver();
  await using alerts = openAlerts(server, owner.workspaceId);
  await channels().createChannel({ displayName: "chat", url: slack.url, kind: Kind.SLACK });
  const { secret } = await channels().createChannel({
    displayName: "gateway",
    url: alertmanager.url,
    kind: Kind.ALERTMANAGER,
  });
  const details = {
    severity: "critical" as const,
    summary: "<!channel> & CPU of web-1\nis at 97 %",
    labels: { host: "web-1" },
    runbookUrl: "https://wiki.example.com/cpu",
    value: 97,
  };
  await alerts.fire({ name: "cpu", kind: "cpu_high", ...details });
  await eventually(
    "both have it",
    () => slack.received.length + alertmanager.received.length === 2,
  );
  const chat = JSON.parse(slack.received[0]?.body ?? "");
  t.is(chat.text, "CRITICAL #1 &lt;!channel&gt; &amp; CPU of web-1 is at 97 %");
  t.is(chat.attachments[0].color, "#dc2626");
  t.regex(chat.attachments[0].title_link, /^https:\/\/lumetry\.example\.com\/incidents\/inc\./);
  t.regex(chat.attachments[0].text, /\(host=web-1\) <https:\/\/wiki\.example\.com\/cpu\|runbook>$/);

  await alerts.resolve("cpu");
  await eventually("it is over", () => alertmanager.received.length === 2);
  const [firing, resolved] = alertmanager.received.map(({ body }) => JSON.parse(body));
  const labels = { host: "web-1", alertname: "cpu_high", severity: "critical" };
  t.is(firing.version, "4");
  t.is(firing.status, "firing");
  t.is(firing.receiver, "gateway");
  t.deepEqual(firing.commonLabels, labels);
  t.deepEqual(firing.alerts[0].labels, labels);
  t.is(firing.alerts[0].annotations.runbook_url, details.runbookUrl);
  t.is(firing.alerts[0].endsAt, "0001-01-01T00:00:00Z");
  t.is(resolved.status, "resolved");
  t.is(resolved.groupKey, firing.groupKey);
  t.is(resolved.alerts[0].fingerprint, firing.alerts[0].fingerprint);
  t.is(resolved.alerts[0].startsAt, firing.alerts[0].startsAt);
  t.true(new Date(resolved.alerts[0].endsAt) >= new Date(resolved.alerts[0].startsAt));
  t.true(alertmanager.received.every((message) => isSignedBy(message, secret)));
});

test("of a channel for Slack, the path of its URL is a secret", async (t) => {
  const url = "https://hooks.slack.com/services/T000/B000/the-secret";
  const { channel } = await channels().createChannel({
    displayName: "team",
    url,
    kind: Kind.SLACK,
  });
  t.is(channel?.url, "https://hooks.slack.com/…");
  const [row] = await server.sql<{ text: string }>(
    "select row_to_json(channels)::text as text from channels where channel_id = $1",
    [channel?.channelId],
  );
  t.false(row?.text.includes("the-secret"));
  const { channel: moved } = await channels().updateChannel({
    channelId: channel?.channelId ?? "",
    url: "https://chat.example.com/hooks/other-secret",
  });
  t.is(moved?.url, "https://chat.example.com/…");
});
