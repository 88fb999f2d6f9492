import { type Client, Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import {
  ChannelService,
  Channel_Kind as Kind,
  Delivery_Status as Status,
} from "../../../gen/lumetry/v1/channel_service_pb.js";
import { readSettings } from "../../../lib/settings.ts";
import { serverSettings } from "../../../server/settings.ts";
import {
  MAIL_PASSWORD,
  MAIL_USER,
  type MailServer,
  startMailServer,
} from "../../support/mail-server.ts";
import { setUp, startTestServer } from "../../support/server.ts";

const CREDENTIALS = `${encodeURIComponent(MAIL_USER)}:${encodeURIComponent(MAIL_PASSWORD)}@`;

/** A server that hands its mail to another, as its operator sets it up. */
async function startMailingServer(
  mail: MailServer,
  url: string,
  egressAllow = ["127.0.0.0/8", "::1/128"],
) {
  const { smtpUrl, mailFrom } = readSettings(serverSettings, {
    flags: { smtpUrl: url, mailFrom: "Lumetry <lumetry@example.com>" },
  });
  const server = await startTestServer({
    egressAllow,
    smtpUrl,
    mailFrom,
    smtpCaFile: mail.caFile,
  });
  const { token } = await setUp(server);
  return { server, channels: server.client(ChannelService, token) };
}

async function addMail(channels: Client<typeof ChannelService>, recipients: string[]) {
  const { channel, secret } = await channels.createChannel({
    displayName: recipients.join(),
    kind: Kind.EMAIL,
    recipients,
  });
  return { channelId: channel?.channelId ?? "", channel, secret };
}

test("a mail is handed over by STARTTLS, after signing in, to all recipients", async (t) => {
  await using mail = await startMailServer({ tls: "starttls" });
  const mailing = await startMailingServer(mail, `smtp://${CREDENTIALS}localhost:${mail.port}`);
  await using _server = mailing.server;
  const added = await addMail(mailing.channels, ["ops@example.com", "oncall@example.com"]);
  t.is(added.secret, "");
  t.deepEqual(added.channel?.recipients, ["ops@example.com", "oncall@example.com"]);
  const { channelId } = added;
  const { delivery } = await mailing.channels.sendTestMessage({ channelId });
  t.is(delivery?.status, Status.DELIVERED, JSON.stringify(delivery?.attempts[0]?.failure));
  t.is(delivery?.attempts[0]?.httpStatus, 250);
  const [received] = mail.mails;
  t.is(received?.from, "lumetry@example.com");
  t.deepEqual(received?.to, ["ops@example.com", "oncall@example.com"]);
  t.is(received?.user, MAIL_USER);
  t.true(received?.secure);
  t.regex(
    received?.raw ?? "",
    new RegExp(`Message-ID: <${delivery?.deliveryId}@example.com>`, "i"),
  );
  t.regex(received?.raw ?? "", /Auto-Submitted: auto-generated/i);
  t.regex(received?.raw ?? "", /Content-Type: text\/html/i);
  t.true(received?.raw.includes("Olivia Owner has sent this message to try it"));

  const rotated = await t.throwsAsync(mailing.channels.rotateChannelSecret({ channelId }), {
    instanceOf: ConnectError,
  });
  t.is(rotated?.code, Code.FailedPrecondition);
});

test("TLS from the start works, and recipients that are refused are told", async (t) => {
  await using mail = await startMailServer({ tls: "implicit" });
  const mailing = await startMailingServer(mail, `smtps://${CREDENTIALS}localhost:${mail.port}`);
  await using _server = mailing.server;
  mail.refusals.set("nobody", { code: 550, words: "5.1.1 no such user" });
  const some = await addMail(mailing.channels, ["ops@example.com", "nobody@example.com"]);
  const { delivery } = await mailing.channels.sendTestMessage({ channelId: some.channelId });
  t.is(delivery?.status, Status.DELIVERED);
  t.is(delivery?.attempts[0]?.failure, "refused for nobody@example.com");
  t.deepEqual(mail.mails[0]?.to, ["ops@example.com"]);
  t.true(mail.mails[0]?.secure);

  const none = await addMail(mailing.channels, ["nobody@example.com"]);
  const dead = await mailing.channels.sendTestMessage({ channelId: none.channelId });
  t.is(dead.delivery?.status, Status.DEAD, "5xx is for good");
  t.is(dead.delivery?.attempts[0]?.httpStatus, 550);

  mail.refusals.set("slow", { code: 451, words: "4.7.1 greylisted" });
  const later = await addMail(mailing.channels, ["slow@example.com"]);
  const pending = await mailing.channels.sendTestMessage({ channelId: later.channelId });
  t.is(pending.delivery?.status, Status.PENDING, "4xx passes");
});

test("a password is never sent without TLS, nor to whoever shows another certificate", async (t) => {
  await using plain = await startMailServer({ tls: "none" });
  const open = await startMailingServer(plain, `smtp://${CREDENTIALS}localhost:${plain.port}`);
  await using _open = open.server;
  const first = await addMail(open.channels, ["ops@example.com"]);
  const { delivery } = await open.channels.sendTestMessage({ channelId: first.channelId });
  t.is(delivery?.status, Status.PENDING);
  t.regex(delivery?.attempts[0]?.failure ?? "", /STARTTLS|TLS/);
  t.is(plain.mails.length, 0);

  await using other = await startMailServer({ tls: "starttls" });
  const wrong = await startMailingServer(plain, `smtp://${CREDENTIALS}localhost:${other.port}`);
  await using _wrong = wrong.server;
  const second = await addMail(wrong.channels, ["ops@example.com"]);
  const refused = await wrong.channels.sendTestMessage({ channelId: second.channelId });
  t.is(refused.delivery?.status, Status.PENDING);
  t.regex(refused.delivery?.attempts[0]?.failure ?? "", /certificate/);
  t.is(other.mails.length, 0);
});

test("mail leaves by the guarded way out only", async (t) => {
  await using mail = await startMailServer({ tls: "none" });
  const mailing = await startMailingServer(mail, `smtp://localhost:${mail.port}`, []);
  await using _server = mailing.server;
  const { channelId } = await addMail(mailing.channels, ["ops@example.com"]);
  const { delivery } = await mailing.channels.sendTestMessage({ channelId });
  t.regex(delivery?.attempts[0]?.failure ?? "", /this machine itself.*--egress-allow/);
  t.is(mail.mails.length, 0);
});

test("what makes no channel of e-mail is refused, with what to do", async (t) => {
  await using server = await startTestServer();
  const { token, zoneId } = await setUp(server);
  const channels = server.client(ChannelService, token);
  const create = (more: Parameters<typeof channels.createChannel>[0]) =>
    channels.createChannel({ displayName: "mail", kind: Kind.EMAIL, ...more });
  const recipients = ["ops@example.com"];
  for (const [request, words] of [
    [{ recipients }, /--smtp-url and --mail-from/],
    [{ recipients: [] }, /recipients are missing/],
    [{ recipients, zoneId }, /leave the zone out/],
    [{ recipients, url: "https://example.com/" }, /leave them out/],
    [{ recipients: ["ops@example.com\r\nbcc: x@y"] }, /recipients/],
    [{ kind: Kind.WEBHOOK, url: "" }, /url is missing/],
    [{ kind: Kind.SLACK, url: "https://example.com/", recipients }, /e-mail only/],
  ] as const) {
    await t.throwsAsync(create({ ...request, recipients: [...(request.recipients ?? [])] }), {
      message: words,
    });
  }
});

test("settings of mail say what to write", (t) => {
  const read = (flags: Record<string, string>) => () => readSettings(serverSettings, { flags });
  t.throws(read({ smtpUrl: "https://mail.example.com" }), { message: /smtps:\/\/user/ });
  t.throws(read({ smtpUrl: "smtp://user:secret@/x" }), { message: /^(?!.*secret)/s });
  t.throws(read({ mailFrom: "nobody" }), { message: /Lumetry <lumetry@example.com>/ });
  t.deepEqual(read({ smtpUrl: "smtp://[::1]" })().smtpUrl, {
    host: "::1",
    port: 587,
    tls: false,
    user: "",
    password: "",
  });
});
