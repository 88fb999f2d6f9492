import { PollFailed } from "./findings.ts";

/** How many bytes of answers all polls together hold in memory. */
export interface HeldBytes {
  /** For one poll: what it is told of is held until it is disposed; throws PollFailed beyond the limit. */
  open(): { charge(bytes: number): void } & Disposable;
  readonly held: number;
}

export function makeHeldBytes(most: number): HeldBytes {
  let held = 0;
  return {
    get held() {
      return held;
    },
    open() {
      let mine = 0;
      return {
        charge(bytes) {
          mine += bytes;
          held += bytes;
          if (held <= most) return;
          throw new PollFailed(
            `given up to keep memory bounded: the answers of all polls under way take more than ${Math.round(most / 2 ** 20)} MiB`,
          );
        },
        [Symbol.dispose]() {
          held -= mine;
          mine = 0;
        },
      };
    },
  };
}
