import { hash } from "node:crypto";
import { Code } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import { secretKind } from "../../lib/secret.ts";
import { type Caller, type CallHeaders, nobody } from "../context.ts";
import type { Database } from "../db/database.ts";
import { problem, Reason } from "../problem.ts";
import { type CredentialHeader, carriesCredential, secretIn, usesCookie } from "./credential.ts";
import { lookUpSecret } from "./store.ts";

/** A revocation must be in force everywhere within a second; half of it may pass unasked. */
const TRUST_MS = 500;
const MOST_REMEMBERED = 50_000;

export interface Authenticator {
  /** Who a request's headers say is calling; throws UNAUTHENTICATED for a credential that is not valid. */
  authenticate(headers: CallHeaders, header?: CredentialHeader): Promise<Caller>;
  /** Whether this credential has been found valid here before, and not been refused since. */
  remembers(headers: CallHeaders, header?: CredentialHeader): boolean;
  /** Forgets what it knows about whoever matches, so that a change is in force here at once. */
  forget(matches: (caller: Caller) => boolean): void;
}

const UNKNOWN = "the credential is unknown; check that it was copied whole";
const MESSAGES = {
  unknown: [Reason.CREDENTIAL_UNKNOWN, UNKNOWN],
  expired: [
    Reason.CREDENTIAL_EXPIRED,
    "the credential has ended: it expired, was replaced or was signed out",
  ],
  revoked: [Reason.REVOKED, "the credential was revoked, for good; enroll or create a replacement"],
} as const;

interface Presented {
  secret: string;
  /** The secret as it is stored, in another form: none is kept in memory longer than its call. */
  key: string;
}

export function makeAuthenticator(db: Database, clock: Clock): Authenticator {
  const known = new Map<string, { caller: Caller; until: number }>();
  /** A call is asked about several times: when it begins, and again before it has an effect. */
  const presented = {
    authorization: new WeakMap<CallHeaders, Presented>(),
    "lumetry-relay-authorization": new WeakMap<CallHeaders, Presented>(),
  } satisfies Record<CredentialHeader, unknown>;

  const read = (headers: CallHeaders, header: CredentialHeader): Presented => {
    let found = presented[header].get(headers);
    if (!found) {
      const secret = secretIn(headers, header);
      found = { secret, key: hash("sha256", secret, "base64") };
      presented[header].set(headers, found);
    }
    return found;
  };

  return {
    async authenticate(headers, header = "authorization") {
      if (!carriesCredential(headers, header)) return nobody;
      const { secret, key } = read(headers, header);
      const now = clock.monotonic();
      const remembered = known.get(key);
      if (remembered && remembered.until > now) return remembered.caller;
      const kind = secretKind(secret);
      if (!kind) {
        throw problem(
          Code.Unauthenticated,
          Reason.CREDENTIAL_UNKNOWN,
          usesCookie(headers, header)
            ? "the cookie holds no session of Lumetry's; sign in again"
            : `the ${header} header is not "Bearer " and a credential of Lumetry's`,
        );
      }
      const found = await lookUpSecret(db, kind, secret);
      if (found.outcome !== "valid") {
        known.delete(key);
        const [reason, message] = MESSAGES[found.outcome];
        throw problem(Code.Unauthenticated, reason, message);
      }
      if (known.size >= MOST_REMEMBERED) known.clear();
      // Counted from before the question: an answer on its way is already ageing.
      known.set(key, { caller: found.caller, until: now + TRUST_MS });
      return found.caller;
    },

    remembers: (headers, header = "authorization") => known.has(read(headers, header).key),

    forget(matches) {
      for (const [key, { caller }] of known) if (matches(caller)) known.delete(key);
    },
  };
}
