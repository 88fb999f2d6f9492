import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import {
  Channel_KindSchema,
  Channel_Kind as ChannelKind,
  ChannelService,
  CreateChannelResponseSchema,
  DeleteChannelResponseSchema,
  Delivery_StatusSchema,
  Delivery_Status as DeliveryStatus,
  GetChannelResponseSchema,
  GetDeliveryResponseSchema,
  ListChannelsResponseSchema,
  ListDeliveriesResponseSchema,
  ResendDeliveryResponseSchema,
  RotateChannelSecretResponseSchema,
  SendTestMessageResponseSchema,
  UpdateChannelResponseSchema,
} from "../../../gen/lumetry/v1/channel_service_pb.js";
import { ZoneService } from "../../../gen/lumetry/v1/zone_service_pb.js";
import { channelFacts, channelTable, deliveryFacts, deliveryTable } from "../channel-text.ts";
import { type Cli, example } from "../cli.ts";
import { secretText } from "../credentials.ts";
import { CliError, usageError } from "../errors.ts";
import { allPages } from "../pages.ts";
import { resolveChannel, resolveZone } from "../resolve.ts";
import { plain } from "../terminal.ts";
import { readCount, readEnum, readEnums, readSpan } from "../words.ts";

type Headers = Record<string, string>;

/** Reads "name: value" and adds it to those before, for commander. */
function readHeader(text: string, before: Headers = {}): Headers {
  const match = /^([^:\s]+):\s*(.*)$/s.exec(text);
  if (!match) throw new InvalidArgumentError('Write "name: value".');
  return { ...before, [match[1] ?? ""]: match[2] ?? "" };
}

function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw usageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

interface Options {
  name?: string;
  url?: string;
  kind?: ChannelKind;
  to?: string[];
  zone?: string;
  direct?: boolean;
  header?: Headers;
  withoutHeaders?: boolean;
  caFile?: string;
}

const several = (text: string, before: string[] = []) => [...before, text];

const KEEP = "Receivers check signatures with it (Standard Webhooks).";

export function addChannels(program: Command, cli: Cli): void {
  const channels = program
    .command("channels")
    .description("Where notifications are sent: webhooks, chats and e-mail; tried for a day.");
  const client = () => cli.signedIn().client(ChannelService);
  const about = async (meant: string) => {
    const asked = client();
    return { asked, channelId: await resolveChannel(asked, meant) };
  };
  const zoneOf = (meant: string) => resolveZone(cli.signedIn().client(ZoneService), meant);

  example(
    channels
      .command("create")
      .description("Add a channel; its secret is shown once.")
      .argument("<name>", "unique in the workspace")
      .argument("[url]", "where messages are sent; none for e-mail")
      .option(
        "--kind <channel-kind>",
        "the form of messages: webhook, slack (Mattermost, too), alertmanager or email",
        readEnum<ChannelKind>(Channel_KindSchema),
      )
      .option("--to <address>", "send e-mail to this address; repeat for more", several)
      .option("--zone <zone>", "have a collector of this zone deliver, not the server")
      .option(
        "--header <name: value>",
        "sent with every message, kept secret; repeat for more",
        readHeader,
      )
      .option("--ca-file <file>", "the authority of the receiver's certificate, in PEM form")
      .action(async (displayName: string, url: string | undefined, options: Options) => {
        const { zone, header = {}, caFile, to = [] } = options;
        const kind = options.kind ?? (to.length > 0 ? ChannelKind.EMAIL : ChannelKind.WEBHOOK);
        if (kind === ChannelKind.EMAIL ? to.length === 0 : url === undefined) {
          throw usageError(
            kind === ChannelKind.EMAIL ? "E-mail needs --to." : "The URL is missing.",
            "Such as: lumetry channels create ops https://hooks.example.com/lumetry",
          );
        }
        const response = await client().createChannel({
          displayName,
          url: url ?? "",
          kind,
          recipients: to,
          headers: header,
          ...(zone && { zoneId: await zoneOf(zone) }),
          ...(caFile && { caPem: readPem(caFile) }),
        });
        cli.answer(CreateChannelResponseSchema, response, () =>
          [
            `The channel "${plain(displayName)}" was created: ${response.channel?.channelId}`,
            ...(response.secret
              ? [KEEP, secretText(cli.terminal, "WEBHOOK_SECRET", response.secret)]
              : []),
          ].join("\n"),
        );
      }),
    "lumetry channels create ops https://hooks.example.com/lumetry",
    "lumetry channels create chat http://chat.internal:8065/hooks/x --kind slack --zone Lyon",
    "lumetry channels create oncall --to oncall@example.com",
  );

  example(
    channels
      .command("list")
      .description("List channels.")
      .option("--search <text>", "only those whose name holds it, or whose id it is")
      .action(async ({ search = "" }: { search?: string }) => {
        const asked = client();
        const found = await allPages(
          (page) => asked.listChannels({ ...page, search }),
          (page) => page.channels,
        );
        const response = create(ListChannelsResponseSchema, { channels: found });
        cli.answer(ListChannelsResponseSchema, response, () => channelTable(cli, found));
      }),
    "lumetry channels list",
    "lumetry channels list --search ops",
  );

  example(
    channels
      .command("show")
      .description("Show one channel.")
      .argument("<channel>", "name or id")
      .action(async (meant: string) => {
        const { asked, channelId } = await about(meant);
        const response = await asked.getChannel({ channelId });
        cli.answer(GetChannelResponseSchema, response, () =>
          response.channel ? channelFacts(cli, response.channel) : "",
        );
      }),
    "lumetry channels show ops",
  );

  example(
    channels
      .command("edit")
      .description("Change a channel; what is not named stays.")
      .argument("<channel>", "name or id")
      .option("--name <name>", "its new name")
      .option("--url <url>", "where messages are sent")
      .option("--to <address>", "in place of all addresses of e-mail; repeat for more", several)
      .option("--zone <zone>", "have a collector of this zone deliver")
      .option("--direct", "have the server deliver")
      .option("--header <name: value>", "in place of all headers; repeat for more", readHeader)
      .option("--without-headers", "remove all headers")
      .option("--ca-file <file>", "the authority of the receiver's certificate, in PEM form")
      .action(async (meant: string, options: Options) => {
        const { name, url, to, zone, direct, caFile } = options;
        if (zone && direct) throw usageError("Use --zone or --direct, not both.");
        const headers = options.withoutHeaders ? {} : options.header;
        if ([name, url, to, zone, direct, headers, caFile].every((one) => one === undefined)) {
          throw usageError("Nothing is to be changed.", "Say what, such as --url.");
        }
        const { asked, channelId } = await about(meant);
        const response = await asked.updateChannel({
          channelId,
          ...(name !== undefined && { displayName: name }),
          ...(url !== undefined && { url }),
          ...(to && { recipients: { addresses: to } }),
          ...(zone !== undefined && { zoneId: await zoneOf(zone) }),
          ...(direct && { zoneId: "" }),
          ...(headers && { headers: { headers } }),
          ...(caFile !== undefined && { caPem: readPem(caFile) }),
        });
        cli.answer(UpdateChannelResponseSchema, response, () =>
          response.channel ? channelFacts(cli, response.channel) : "",
        );
      }),
    "lumetry channels edit ops --url https://hooks.example.com/new",
  );

  example(
    channels
      .command("test")
      .description("Send a message of type channel.test, and tell what comes of it.")
      .argument("<channel>", "name or id")
      .action(async (meant: string) => {
        const { asked, channelId } = await about(meant);
        const response = await asked.sendTestMessage({ channelId });
        const { delivery } = response;
        cli.answer(SendTestMessageResponseSchema, response, () =>
          delivery ? deliveryFacts(cli, delivery) : "",
        );
        if (delivery?.status !== DeliveryStatus.DELIVERED) {
          throw new CliError("The message has not been taken.");
        }
      }),
    "lumetry channels test ops",
  );

  example(
    channels
      .command("rotate")
      .description("Make a new secret; the one before it signs along for a while.")
      .argument("<channel>", "name or id")
      .option("--overlap <span>", "how long both sign; 1d when not given", readSpan)
      .action(async (meant: string, options: { overlap?: number }) => {
        const { overlap } = options;
        const { asked, channelId } = await about(meant);
        const response = await asked.rotateChannelSecret({
          channelId,
          ...(overlap !== undefined && { overlap: durationFromMs(overlap) }),
        });
        cli.answer(RotateChannelSecretResponseSchema, response, () =>
          [
            `${plain(meant)} has a new secret.`,
            KEEP,
            secretText(cli.terminal, "WEBHOOK_SECRET", response.secret),
          ].join("\n"),
        );
      }),
    "lumetry channels rotate ops --overlap 7d",
  );

  example(
    channels
      .command("deliveries")
      .description("List messages, newest first; or show one with its attempts.")
      .argument("[delivery]", "an id")
      .option("--channel <channel>", "only this channel's")
      .option(
        "--outcome <outcome>",
        "only those; with commas between for more",
        readEnums(Delivery_StatusSchema),
      )
      .option("--limit <count>", "how many", readCount(1), 20)
      .action(
        async (
          deliveryId: string | undefined,
          options: { channel?: string; outcome?: DeliveryStatus[]; limit: number },
        ) => {
          const asked = client();
          if (deliveryId !== undefined) {
            const response = await asked.getDelivery({ deliveryId });
            cli.answer(GetDeliveryResponseSchema, response, () =>
              response.delivery ? deliveryFacts(cli, response.delivery) : "",
            );
            return;
          }
          const { channel, outcome = [], limit } = options;
          const channelId = channel === undefined ? "" : await resolveChannel(asked, channel);
          const found = await allPages(
            (page) => asked.listDeliveries({ ...page, channelId, statuses: outcome }),
            (page) => page.deliveries,
            limit,
          );
          const response = create(ListDeliveriesResponseSchema, { deliveries: found });
          cli.answer(ListDeliveriesResponseSchema, response, () => deliveryTable(cli, found));
        },
      ),
    "lumetry channels deliveries --outcome dead",
    "lumetry channels deliveries dlv.qwhfzukmcd",
  );

  example(
    channels
      .command("resend")
      .description("Try a dead letter again, for another day, under the same id.")
      .argument("<delivery>", "its id")
      .action(async (deliveryId: string) => {
        const response = await client().resendDelivery({ deliveryId });
        cli.answer(ResendDeliveryResponseSchema, response, () => `${deliveryId} is tried again.`);
      }),
    "lumetry channels resend dlv.qwhfzukmcd",
  );

  example(
    channels
      .command("delete")
      .description("Remove a channel with its messages.")
      .argument("<channel>", "name or id")
      .action(async (meant: string) => {
        const { asked, channelId } = await about(meant);
        const response = await asked.deleteChannel({ channelId });
        cli.answer(
          DeleteChannelResponseSchema,
          response,
          () => `The channel ${plain(meant)} was deleted.`,
        );
      }),
    "lumetry channels delete ops",
  );
}
