import {
  type Channel,
  Channel_Kind as Kind,
} from "../../../../../gen/lumetry/v1/channel_service_pb.js";

/** What each kind of channel is called, and what it is for. */
export const KINDS: Record<number, { title: string; about: string }> = {
  [Kind.WEBHOOK]: { title: "Webhook", about: "JSON of Lumetry's own, for programs" },
  [Kind.SLACK]: {
    title: "Slack",
    about: "An incoming webhook of Slack, Mattermost or Rocket.Chat",
  },
  [Kind.ALERTMANAGER]: {
    title: "Alertmanager",
    about: "What Alertmanager sends to its webhook receivers",
  },
  [Kind.EMAIL]: { title: "E-mail", about: "By the mail server that this server was given" },
};

export const kindText = ({ kind }: Channel) =>
  KINDS[kind || Kind.WEBHOOK]?.title ?? "of a later version";

/** Where its messages go. */
export const whereText = ({ url, recipients }: Channel) =>
  recipients.length > 0 ? recipients.join(", ") : url;
