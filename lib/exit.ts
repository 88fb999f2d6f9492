/**
 * Ends the process as soon as it has nothing left to do, with the code it has set.
 *
 * Node 24 goes through everything that is still open when it ends by itself, and waits for each: a
 * request that was lost on the way (a statfs on a dead mount, a connection that was cut) keeps it
 * busy there for ever, on a whole core. An exit that is asked for waits for nothing.
 */
export function exitWhenDone(): void {
  process.once("beforeExit", () => {
    // After the other listeners: within "exit", this ends the process at once.
    process.once("exit", () => process.exit());
  });
}
