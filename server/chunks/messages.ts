import { isMarkedAsUntransferable } from "node:worker_threads";
import type { Packing } from "./packing.ts";

/** What is told to the thread that makes chunks, and by it. */
export interface Task {
  number: number;
  name: keyof Packing;
  given: unknown;
}

export type Answer = { number: number; result: unknown } | { number: number; error: Error };

/**
 * The memory of all bytes in a message: it is handed over with it, since to copy it would cost as
 * much as reading it. Only that of Node's pool, which others share, is copied.
 */
export function buffersIn(message: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const look = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
    else if (Array.isArray(value)) for (const each of value) look(each);
    else if (value && Object.getPrototypeOf(value) === Object.prototype) look(Object.values(value));
  };
  look(message);
  return [...found].filter((buffer) => !isMarkedAsUntransferable(buffer));
}
