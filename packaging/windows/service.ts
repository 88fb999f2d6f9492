/** What the service host runs: the agent, with its messages for the event log, and an end to its input as its stop. */
import { makeEvents } from "./events.ts";

const events = makeEvents((line) => process.stdout.write(line));
const write = process.stderr.write.bind(process.stderr);
process.stderr.write = ((text: string | Uint8Array, ...rest: []) => {
  events.take(String(text));
  return write(text, ...rest);
}) as typeof process.stderr.write;

// Windows has no signal that a process could take its time for.
const stop = () => {
  if (!process.emit("SIGTERM", "SIGTERM")) process.exit(0);
};
process.stdin.once("end", stop).once("error", stop).resume();

// The program beside this one in a package; it is there as `lumetry-agent` would run it.
await import(new URL("../../app/agent.mjs", import.meta.url).href);
