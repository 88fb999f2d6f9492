/** Calls since the process started. */
export interface Tally {
  /** Answered by the server. */
  relayed: number;
  /** Turned away by the collector itself, requests that are none included. */
  refused: number;
}
