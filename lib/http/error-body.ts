import type { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";

/** The one shape of an error outside of a call: that of the Connect protocol. */
export interface ErrorBody {
  code: string;
  message: string;
  [more: string]: unknown;
}

export const errorBody = (code: Code, message: string, more: object = {}): ErrorBody => ({
  code: codeToString(code),
  message,
  ...more,
});
