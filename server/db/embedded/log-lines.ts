import type { Log } from "../../../lib/log.ts";

export type Level = "debug" | "warn" | "error";

/** What `log_line_prefix` must be for `levelOf`: the SQLSTATE and a space. */
export const LINE_PREFIX = "%e ";

const SEVERITY =
  /^(?:(?<state>[0-9A-Z]{5}) )?.*?\b(?<word>DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC): {2}/;
const CONTINUATION = /^(?:\t|(?:[0-9A-Z]{5} )?(?:DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LOCATION): )/;

/**
 * The level at which a line of PostgreSQL's log is worth telling: its errors are told to the client
 * whose statement failed, so only what concerns the whole server is above debug. Undefined for a
 * line that belongs to the one before.
 */
export function levelOf(line: string): Level | undefined {
  if (CONTINUATION.test(line)) return undefined;
  const { state, word } = SEVERITY.exec(line)?.groups ?? {};
  if (word === undefined) return "warn"; // the loader's or libc's words
  if (word === "PANIC") return "error";
  if (state === "57P03" || state === "57P01") return "debug"; // starting up, shutting down
  if (word === "WARNING" || word === "FATAL") return "warn";
  return /terminated by signal|crash/.test(line) ? "warn" : "debug";
}

/** Takes PostgreSQL's standard error, passes its lines on to a log and keeps the last ones. */
export class LogLines {
  #rest = "";
  #level: Level = "debug";
  readonly #last: string[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  write(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = (lines.pop() ?? "").slice(-8192);
    for (const line of lines) this.#take(line.slice(0, 8192));
  }

  #take(line: string): void {
    if (line.trim() === "") return;
    this.#level = levelOf(line) ?? this.#level;
    const text = line.replace(/^[0-9A-Z]{5} (?=[A-Z]+\d?: )/, "");
    this.#last.push(text);
    if (this.#last.length > 20) this.#last.shift();
    this.#log[this.#level]({ component: "postgres" }, text);
  }

  /** The last lines, for an error that explains why PostgreSQL did not start. */
  get tail(): string {
    return [...this.#last, this.#rest].filter((line) => line !== "").join("\n");
  }
}
