/** A terminal, npm and a launcher may each deliver what a person meant once. */
const SAME_WISH_MS = 1_000;

/**
 * An abort signal for SIGINT and SIGTERM. The first one asks for an orderly stop; one that comes a
 * second or more later, for the impatient, exits at once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let askedAt = 0;
  const stop = (signal: NodeJS.Signals) => {
    if (!controller.signal.aborted) {
      askedAt = performance.now();
      controller.abort(signal);
    } else if (performance.now() - askedAt >= SAME_WISH_MS) {
      process.exit(signal === "SIGINT" ? 130 : 143);
    }
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return controller.signal;
}

/** Settles once the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
