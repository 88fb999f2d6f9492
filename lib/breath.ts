const BREATH_MS = 25;

/** To be awaited between two pieces of work: after a while of it, others have their turn. */
export type Breath = () => Promise<void>;

export function makeBreath(signal?: AbortSignal): Breath {
  let breathed = performance.now();
  return async () => {
    if (performance.now() - breathed < BREATH_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    breathed = performance.now();
  };
}
