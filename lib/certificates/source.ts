import type { Pair } from "./pair.ts";

/** Where the listener's certificate comes from: files of the user's, or our own authority. */
export interface Source {
  readonly first: Pair;
  /** The authority for clients to trust, when the certificate was made locally. */
  readonly caFile: string | undefined;
  /** Milliseconds from one refresh to the next. */
  readonly everyMs: number;
  /** A newer pair when there is one; a bad one is logged and passed over. */
  refresh(): Promise<Pair | undefined>;
}
