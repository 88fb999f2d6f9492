import { hash } from "node:crypto";

/** PostgreSQL's indexes hold rows of 2,704 bytes, and a key has neighbours in them. */
const LONGEST_BYTES = 1_000;

/** A text as it can be a key of the database: what is too long for an index is told by its hash. */
export const indexKey = (text: string): string =>
  Buffer.byteLength(text) <= LONGEST_BYTES ? text : `sha256:${hash("sha256", text, "hex")}`;
