import { setTimeout as wait } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type HostSchema,
  Host_OperatingSystem as OperatingSystem,
} from "../gen/lumetry/edge/v1/host_pb.js";
import { makeBackoff } from "../lib/backoff.ts";
import type { Log } from "../lib/log.ts";
import { version } from "../lib/version.ts";
import type { HostFacts } from "./host-metrics/host-facts.ts";
import type { Enrolled, Identity } from "./identity.ts";
import { NeedsPerson } from "./needs-person.ts";
import type { Upstream } from "./upstream.ts";
import { judge } from "./verdict.ts";

/** The server will not have this installation: trying again is of no use without a person. */
export class Refused extends NeedsPerson {
  override name = "Refused";
}

/** What every kind of edge says when it enrolls. */
export interface Introduction {
  enrollmentToken: string;
  nonce: Uint8Array;
  version: string;
  host: MessageInitShape<typeof HostSchema>;
}

/** The call by which a kind of edge enrolls. */
export type Redeem = (
  upstream: Upstream,
  introduction: Introduction,
  signal: AbortSignal,
) => Promise<Enrolled>;

const OPERATING_SYSTEMS = {
  linux: OperatingSystem.LINUX,
  windows: OperatingSystem.WINDOWS,
  darwin: OperatingSystem.DARWIN,
} as const;

/**
 * Redeems the token for an identity of its own and uses it once, which makes it final: a
 * late copy of an earlier request may have voided the credential, and then it asks again. Goes on
 * trying while the server cannot be reached; throws Refused when the token is not accepted.
 */
export async function enroll(options: {
  upstream: Upstream;
  identity: Identity;
  token: string;
  redeem: Redeem;
  facts: HostFacts;
  log: Log;
  signal: AbortSignal;
  /** Told why it has not worked yet. */
  onProblem: (problem: string) => void;
}): Promise<void> {
  const { upstream, identity, log, signal } = options;
  const nonce = await identity.enrollmentNonce();
  const { operatingSystem, ...facts } = options.facts;
  const introduction = {
    enrollmentToken: options.token,
    nonce,
    version,
    host: { ...facts, operatingSystem: OPERATING_SYSTEMS[operatingSystem] },
  };

  const backoff = makeBackoff();
  while (!signal.aborted) {
    let redeemed = identity.isEnrolled;
    try {
      if (!redeemed) await identity.enroll(await options.redeem(upstream, introduction, signal));
      redeemed = true;
      await upstream.config.getConfig({}, { signal });
      const { edgeId, placement } = identity;
      log.info({ edgeId, ...(placement !== undefined && { placement }) }, "enrolled");
      return;
    } catch (error) {
      if (signal.aborted) return;
      const verdict = judge(error);
      const isVoid = redeemed && verdict.action === "other_credential";
      if (isVoid) await identity.unenroll();
      else if (verdict.action !== "retry") throw new Refused(verdict.message);
      options.onProblem(verdict.message);
      const waitMs = backoff.next(verdict.retryAfterMs);
      log.warn({ reason: verdict.message, waitMs: Math.round(waitMs) }, "cannot enroll yet");
      await wait(waitMs, undefined, { signal }).catch(() => {});
    }
  }
}
