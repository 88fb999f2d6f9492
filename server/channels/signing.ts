import { createHmac, randomBytes } from "node:crypto";

/** Signatures as Standard Webhooks has them: HMAC-SHA-256 over id, time and body. */

const PREFIX = "whsec_";
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

export const makeWebhookSecret = (): string => PREFIX + randomBytes(32).toString("base64");

/** The key in a secret; undefined for a text that is none. */
export function keyOfSecret(secret: string): Buffer | undefined {
  if (!secret.startsWith(PREFIX)) return undefined;
  const text = secret.slice(PREFIX.length);
  const key = Buffer.from(text, "base64");
  const isWhole = key.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  return isWhole && key.length >= LEAST_BYTES && key.length <= MOST_BYTES ? key : undefined;
}

/** The headers that let a receiver check a message, one signature for each secret. */
export function signatureHeaders(
  message: { id: string; time: Date; body: Uint8Array },
  secrets: readonly string[],
): Record<string, string> {
  const seconds = Math.floor(message.time.getTime() / 1000);
  const signatures = secrets.map((secret) => {
    const key = keyOfSecret(secret);
    if (!key) throw new Error("a secret of a webhook is not one");
    const digest = createHmac("sha256", key)
      .update(`${message.id}.${seconds}.`)
      .update(message.body)
      .digest("base64");
    return `v1,${digest}`;
  });
  return {
    "webhook-id": message.id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": signatures.join(" "),
  };
}
