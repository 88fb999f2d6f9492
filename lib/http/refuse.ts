import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { Code } from "@connectrpc/connect";
import { errorBody } from "./error-body.ts";

interface Refusal {
  status: number;
  code: Code;
  message: string;
}

const LENGTHS: Refusal = {
  status: 400,
  code: Code.InvalidArgument,
  message: "a body has one content-length or the transfer-encoding chunked, never both",
};

/** What to tell whoever sent something that is no request of HTTP/1, by the parser's error code. */
const REFUSALS: Record<string, Refusal> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: Code.ResourceExhausted,
    message: "the headers of a request, with its path, may take 16 KiB together",
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    code: Code.ResourceExhausted,
    message: "the chunk extensions of a body may take 16 KiB",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: Code.DeadlineExceeded,
    message: "the request's headers did not arrive in time",
  },
  HPE_INVALID_METHOD: {
    status: 400,
    code: Code.InvalidArgument,
    message: "that is no method of HTTP; calls are POST, or GET where they only read",
  },
  HPE_INVALID_TRANSFER_ENCODING: LENGTHS,
  HPE_UNEXPECTED_CONTENT_LENGTH: LENGTHS,
};

const MALFORMED: Refusal = {
  status: 400,
  code: Code.InvalidArgument,
  message: "that is not a well-formed request of HTTP/1.1",
};

export const NOT_TLS: Refusal = {
  status: 400,
  code: Code.InvalidArgument,
  message: "this port speaks TLS: use https://",
};

export const NO_TUNNEL: Refusal = {
  status: 405,
  code: Code.Unimplemented,
  message: "this is not a proxy: CONNECT is not served",
};

export const refusalFor = (error: Error & { code?: string }): Refusal =>
  REFUSALS[error.code ?? ""] ?? MALFORMED;

/**
 * Writes a whole answer to a connection on which no response object exists, and closes it: after a
 * while, for a connection that is closed on bytes not yet read takes the answer with it.
 */
export function refuse(socket: Duplex, { status, code, message }: Refusal, lingerMs: number): void {
  const body = `${JSON.stringify(errorBody(code, message))}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${randomUUID()}`,
    `date: ${new Date().toUTCString()}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
}
