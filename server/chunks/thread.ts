/** What runs in the thread that packing-thread.ts starts: does what it is told, one after the other. */
import { parentPort } from "node:worker_threads";
import { type Answer, buffersIn, type Task } from "./messages.ts";
import { packing } from "./packing.ts";

parentPort?.on("message", ({ number, name, given }: Task) => {
  let answer: Answer;
  try {
    const work = packing[name] as (task: unknown) => unknown;
    answer = { number, result: work(given) };
  } catch (error) {
    answer = { number, error: error as Error };
  }
  parentPort?.postMessage(answer, buffersIn(answer));
});
// Ends the thread, and with it whoever waits for an answer.
parentPort?.on("messageerror", (error) => {
  throw error;
});
