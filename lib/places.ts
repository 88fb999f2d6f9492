/** More wait for a place than should: come again later. */
export class TooManyWaiting extends Error {
  override name = "TooManyWaiting";
}

/** Lets a few do something at a time, in order of arrival. */
export interface Places {
  /**
   * Runs work once there is a place. Rejects with TooManyWaiting instead of waiting behind too many,
   * and with the signal's reason when that is aborted before a place is free.
   */
  take<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result>;
}

export function makePlaces(most: number, mostWaiting: number): Places {
  const waiting = new Set<() => void>();
  let taken = 0;

  const wait = (signal: AbortSignal | undefined) =>
    new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        waiting.delete(begin);
        reject(signal?.reason);
      };
      const begin = () => {
        waiting.delete(begin);
        signal?.removeEventListener("abort", giveUp);
        taken += 1;
        resolve();
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      waiting.add(begin);
    });

  return {
    async take(work, signal) {
      signal?.throwIfAborted();
      if (taken < most) taken += 1;
      else if (waiting.size >= mostWaiting) throw new TooManyWaiting("too many are waiting");
      else await wait(signal);
      try {
        return await work();
      } finally {
        taken -= 1;
        const [next] = waiting;
        next?.();
      }
    },
  };
}
