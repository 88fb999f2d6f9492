import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The text of a file under /proc. Synchronous on purpose: the kernel answers from memory within
 * microseconds, and a thread pool whose threads hang in a dead network mount cannot delay it.
 */
export function readProc(procRoot: string, file: string): string {
  return readFileSync(join(procRoot, file), "utf8");
}

/**
 * A kernel counter of up to 64 bits as the nearest double; undefined for anything but decimal digits,
 * so a sign, a hexadecimal or an empty field never becomes a value.
 */
export function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,20}$/.test(text) ? Number(text) : undefined;
}
