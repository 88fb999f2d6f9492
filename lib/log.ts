import { type Logger, pino, stdTimeFunctions } from "pino";
import { redactSecrets } from "./secret.ts";

/** Structured logging, in pino's order of arguments: fields first, then a sentence. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** JSON lines on standard error; whatever looks like a secret is blotted out of every line. */
export function makeLog(level: LogLevel, bindings: object = {}): Log {
  const logger: Logger = pino(
    { level, timestamp: stdTimeFunctions.isoTime, base: bindings },
    { write: (line: string) => process.stderr.write(redactSecrets(line)) },
  );
  return logger;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
