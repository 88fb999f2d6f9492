import { hashSecret, makeSecret } from "../../lib/secret.ts";

/** What proves a claim: handed out once, stored as its hash. */
export interface ClaimToken {
  secret: string;
  hash: Buffer;
}

/**
 * Tokens are made before it is known how many items there are to claim; those that were not
 * handed out are used for the next claim.
 */
export interface ClaimTokens {
  take(count: number): ClaimToken[];
  giveBack(tokens: readonly ClaimToken[]): void;
}

const MOST_KEPT = 1_000;

export function makeClaimTokens(): ClaimTokens {
  const kept: ClaimToken[] = [];
  return {
    take(count) {
      const tokens = kept.splice(0, count);
      while (tokens.length < count) {
        const secret = makeSecret("lmtwc");
        tokens.push({ secret, hash: hashSecret(secret) });
      }
      return tokens;
    },
    giveBack(tokens) {
      kept.push(...tokens.slice(0, Math.max(0, MOST_KEPT - kept.length)));
    },
  };
}

const HASH_BYTES = 32;

/** As one parameter of a statement: an array of them costs both sides more than all the rest. */
export const joinHashes = (hashes: readonly Buffer[]): Buffer => Buffer.concat(hashes);

/** The hash at a place in what was joined, in SQL; places are counted from one. */
export const hashAt = (joined: string, place: string): string =>
  `substring(${joined}::bytea from (${place}::int - 1) * ${HASH_BYTES} + 1 for ${HASH_BYTES})`;
