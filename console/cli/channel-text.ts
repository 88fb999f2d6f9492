import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type Channel,
  Channel_KindSchema,
  type Delivery,
  Delivery_StatusSchema,
  Delivery_Status as Status,
} from "../../gen/lumetry/v1/channel_service_pb.js";
import type { Cli } from "./cli.ts";
import { msText } from "./source-text.ts";
import { facts, table } from "./table.ts";
import { plain, type Style } from "./terminal.ts";
import { ageOf, countText, deadlineText, enumWord, momentText } from "./words.ts";

const placeOf = ({ url, recipients }: Channel) => url || recipients.join(", ");
const kindOf = ({ kind }: Channel) => enumWord(Channel_KindSchema, kind);
const wayOf = ({ zoneId }: Channel) => (zoneId === "" ? "by the server" : `in ${zoneId}`);

export function channelTable(cli: Cli, channels: Channel[]): string {
  if (channels.length === 0) {
    return 'There are no channels yet. Add one with "lumetry channels create".';
  }
  return table(
    channels,
    [
      { title: "NAME", value: ({ displayName }) => displayName, least: 12 },
      { title: "ID", value: ({ channelId }) => channelId, rank: 2 },
      { title: "KIND", value: kindOf, rank: 1 },
      { title: "WHERE", value: placeOf, least: 20 },
      { title: "DELIVERED", value: wayOf, rank: 1 },
      {
        title: "WAITING",
        value: ({ pendingDeliveries }) => countText(pendingDeliveries),
        align: "right",
      },
      {
        title: "DEAD",
        value: ({ deadDeliveries }) => countText(deadDeliveries),
        align: "right",
        style: ({ deadDeliveries }) => (deadDeliveries > 0n ? "red" : undefined),
      },
    ],
    cli.terminal,
  );
}

export function channelFacts(cli: Cli, channel: Channel): string {
  const { previousSecretExpireTime: until } = channel;
  return facts(
    [
      ["name", plain(channel.displayName)],
      ["id", channel.channelId],
      ["kind", kindOf(channel)],
      ["url", plain(channel.url)],
      ["to", plain(channel.recipients.join(", "))],
      ["delivered", wayOf(channel)],
      ["secret headers", plain(channel.headerNames.join(", "))],
      ["own authority", channel.caPem === "" ? "" : "yes"],
      ["secret made", momentText(channel.secretCreateTime, cli.now())],
      ["the one before signs until", until && deadlineText(until, cli.now())],
      ["waiting", countText(channel.pendingDeliveries)],
      ["dead", countText(channel.deadDeliveries)],
      ["created", momentText(channel.createTime, cli.now())],
    ],
    cli.terminal,
  );
}

const STYLES: Partial<Record<Status, Style>> = {
  [Status.DELIVERED]: "green",
  [Status.DEAD]: "red",
  [Status.PENDING]: "yellow",
};

export function deliveryTable(cli: Cli, deliveries: Delivery[]): string {
  if (deliveries.length === 0) return "There are no such messages.";
  return table(
    deliveries,
    [
      { title: "ID", value: ({ deliveryId }) => deliveryId },
      { title: "TYPE", value: ({ eventType }) => eventType },
      {
        title: "STATUS",
        value: ({ status }) => enumWord(Delivery_StatusSchema, status),
        style: ({ status }) => STYLES[status],
      },
      { title: "ATTEMPTS", value: ({ attemptCount }) => countText(attemptCount), align: "right" },
      { title: "CREATED", value: ({ createTime }) => ageOf(createTime, cli.now()) },
      {
        title: "NEXT ATTEMPT",
        value: ({ nextAttemptTime }) => ageOf(nextAttemptTime, cli.now()),
        rank: 1,
      },
      { title: "CHANNEL", value: ({ channelId }) => channelId, rank: 2 },
    ],
    cli.terminal,
  );
}

export function deliveryFacts(cli: Cli, delivery: Delivery): string {
  const word = enumWord(Delivery_StatusSchema, delivery.status);
  const style = STYLES[delivery.status];
  const head = facts(
    [
      ["id", delivery.deliveryId],
      ["type", plain(delivery.eventType)],
      ["channel", delivery.channelId],
      ["status", style ? cli.terminal.paint(word, style) : word],
      ["created", momentText(delivery.createTime, cli.now())],
      [
        "next attempt",
        delivery.nextAttemptTime && deadlineText(delivery.nextAttemptTime, cli.now()),
      ],
      ["given up", delivery.expireTime && deadlineText(delivery.expireTime, cli.now())],
    ],
    cli.terminal,
  );
  if (delivery.attempts.length === 0) return head;
  const attempts = table(
    delivery.attempts,
    [
      { title: "ATTEMPTED", value: ({ time }) => ageOf(time, cli.now()) },
      { title: "BY", value: ({ collectorId }) => collectorId || "the server" },
      {
        title: "ANSWER",
        value: ({ httpStatus }) => (httpStatus === 0 ? "none" : String(httpStatus)),
      },
      {
        title: "TOOK",
        value: ({ duration }) => (duration ? msText(durationMs(duration)) : ""),
        align: "right",
      },
      { title: "WHY", value: ({ failure }) => failure, least: 20, rank: 1 },
    ],
    cli.terminal,
  );
  return `${head}\n\n${attempts}`;
}
