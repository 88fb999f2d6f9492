import type { CallHeaders } from "../context.ts";
import type { Request } from "./exchange.ts";

/** A request's headers as they lie, for what asks for a few of them only. */
export function headersOf({ headers }: Request): CallHeaders {
  return {
    get(name) {
      const value = headers[name.toLowerCase()];
      return value === undefined ? null : String(value);
    },
    has: (name) => headers[name.toLowerCase()] !== undefined,
  };
}
