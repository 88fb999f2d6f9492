import type { Event } from "../events.ts";
import type { ChannelKind } from "../table.ts";
import { alertmanagerBody } from "./alertmanager.ts";
import { emailBody } from "./email.ts";
import { slackBody } from "./slack.ts";

/** An event on its way to one channel. */
export interface Sending {
  event: Event;
  /** Of the database's clock. */
  now: Date;
  /** The channel's name. */
  channel: string;
  /** Where people reach the deployment; empty when it is not known. */
  publicUrl: string;
}

const webhookBody = ({ event, now }: Sending) => ({
  type: event.type,
  timestamp: now.toISOString(),
  data: event.data,
});

const FORMS: Record<ChannelKind, (sending: Sending) => object> = {
  webhook: webhookBody,
  slack: slackBody,
  alertmanager: alertmanagerBody,
  email: emailBody,
};

/** What is sent for an event, in the form of a kind of channel. */
export const bodyOf = (kind: ChannelKind, sending: Sending): Buffer =>
  Buffer.from(JSON.stringify(FORMS[kind](sending)));
