import { Code, ConnectError } from "@connectrpc/connect";
import { EgressFailure } from "../../lib/egress/failure.ts";
import { hostAndPort, placeOf, readUrl } from "../../lib/egress/host.ts";
import { keyOfSecret } from "./signing.ts";
import type { ChannelKind } from "./table.ts";

/** Set by the server on every message, or by HTTP itself. */
const OWN_HEADERS =
  /^(webhook-.*|content-type|content-length|host|connection|transfer-encoding|user-agent|expect|te|trailer|upgrade|keep-alive|proxy-.*)$/i;

/** Host and port of a receiver, with the scheme: what secret headers are bound to. */
export function targetOf(url: string): string {
  try {
    const parsed = readUrl(url);
    const { host, port } = placeOf(parsed);
    return `${parsed.protocol}//${hostAndPort(host, port)}`;
  } catch (error) {
    if (error instanceof EgressFailure) {
      throw new ConnectError(error.message, Code.InvalidArgument);
    }
    throw error;
  }
}

/** A URL as it is shown: of Slack's, whoever knows the path may post. */
export const shownUrl = (kind: ChannelKind, url: string): string =>
  kind === "slack" ? `${new URL(url).origin}/…` : url;

/** What each kind needs, and what it has no use for. */
export function checkKind(
  kind: ChannelKind,
  given: {
    url: string;
    zoneId: string;
    caPem: string;
    secret: string;
    headers: object;
    recipients: string[];
  },
): void {
  const refuse = (words: string) => {
    throw new ConnectError(words, Code.InvalidArgument);
  };
  if (kind !== "email") {
    if (given.url === "") refuse("url is missing: where messages are sent");
    if (given.recipients.length > 0) refuse("recipients are for channels of e-mail only");
    return;
  }
  if (given.recipients.length === 0) refuse("recipients are missing: addresses of e-mail");
  if (given.zoneId !== "") refuse("e-mail is sent by the server itself: leave the zone out");
  if (given.url || given.caPem || given.secret || Object.keys(given.headers).length > 0) {
    refuse("e-mail has no url, headers, authority or secret: leave them out");
  }
}

export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  const own = Object.keys(headers).find((name) => OWN_HEADERS.test(name));
  if (own === undefined) return;
  throw new ConnectError(
    `the header ${own} is set by the server: leave it out`,
    Code.InvalidArgument,
  );
}

export function checkSecret(secret: string): string {
  if (keyOfSecret(secret)) return secret;
  throw new ConnectError(
    'the secret is not "whsec_" and base64 of 24 to 64 bytes; leave it out to have one made',
    Code.InvalidArgument,
  );
}
