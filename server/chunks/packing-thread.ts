import { getEnvironmentData, Worker } from "node:worker_threads";
import { type Answer, buffersIn, type Task } from "./messages.ts";
import type { Packing } from "./packing.ts";

/**
 * Does what `packing` does, in a thread of its own: calls are answered meanwhile, which would else
 * wait for as long as it takes, and that is long where much comes in.
 */
export interface PackingThread extends AsyncDisposable {
  /**
   * The bytes in `given` are handed over: they are empty here from then on. Rejects with the signal's
   * reason as soon as it is aborted; whatever was begun is done to its end, for nobody.
   */
  run<Name extends keyof Packing>(
    name: Name,
    given: Parameters<Packing[Name]>[0],
    signal: AbortSignal,
  ): Promise<ReturnType<Packing[Name]>>;
}

type Waiting = Pick<PromiseWithResolvers<unknown>, "resolve" | "reject">;

/** The thread begins with the first task, and anew after it has failed. */
export function makePackingThread(): PackingThread {
  let thread: { worker: Worker; waiting: Map<number, Waiting> } | undefined;
  let last = 0;

  const start = () => {
    // What lets Node read our files where it would not: see bin/typescript.js.
    const first = getEnvironmentData("lumetry.import");
    const options = typeof first === "string" ? { execArgv: ["--import", first] } : {};
    const worker = new Worker(new URL("./thread.ts", import.meta.url), options);
    const waiting = new Map<number, Waiting>();
    const started = { worker, waiting };
    const end = (error: unknown) => {
      if (thread === started) thread = undefined;
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    worker.on("message", (answer: Answer) => {
      const waiter = waiting.get(answer.number);
      waiting.delete(answer.number);
      if ("error" in answer) waiter?.reject(answer.error);
      else waiter?.resolve(answer.result);
    });
    worker.on("messageerror", (error) => {
      end(error);
      void worker.terminate();
    });
    worker.on("error", end);
    worker.on("exit", () => end(new Error("the thread that makes chunks has ended")));
    return started;
  };

  return {
    async run(name, given, signal) {
      signal.throwIfAborted();
      thread ??= start();
      const { worker, waiting } = thread;
      last += 1;
      const number = last;
      const task: Task = { number, name, given };
      worker.postMessage(task, buffersIn(given));
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      waiting.set(number, { resolve, reject });
      const giveUp = () => {
        waiting.delete(number);
        reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        return (await promise) as ReturnType<Packing[typeof name]>;
      } finally {
        signal.removeEventListener("abort", giveUp);
      }
    },
    async [Symbol.asyncDispose]() {
      await thread?.worker.terminate();
    },
  };
}
