import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Terminal } from "./terminal.ts";
import { ageOf } from "./words.ts";

/** Where a credential is in its life: "ends in 89 days", "ended 2 days ago", "revoked …", "never ends". */
export function lifeText(
  {
    expireTime,
    revokeTime,
  }: { expireTime?: Timestamp | undefined; revokeTime?: Timestamp | undefined },
  now: number,
): string {
  if (revokeTime) return `revoked ${ageOf(revokeTime, now)}`;
  if (!expireTime) return "never ends";
  return `${timestampMs(expireTime) > now ? "ends" : "ended"} ${ageOf(expireTime, now)}`;
}

/** A secret, ready to be put into an environment. */
export function secretText(terminal: Terminal, variable: string, secret: string): string {
  return `\n  ${terminal.paint(`${variable}=${secret}`, "bold")}\n\nIt is shown this once only.`;
}
