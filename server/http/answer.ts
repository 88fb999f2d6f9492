import type http from "node:http";
import { Code, type ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJson } from "@connectrpc/connect/protocol-connect";
import { type ErrorBody, errorBody } from "../../lib/http/error-body.ts";
import type { Exchange, Response } from "./exchange.ts";

/** Of an answer that is not a call's: it is what it says that it is, and is not kept. */
export const GUARDS: [name: string, value: string][] = [
  ["x-content-type-options", "nosniff"],
  ["cache-control", "no-store"],
];

/** Answers with text, or with an object as JSON. An answer that was begun is broken off instead. */
export function answer(
  response: Response,
  status: number,
  body: string | object,
  headers: http.OutgoingHttpHeaders = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const isText = typeof body === "string";
  const bytes = Buffer.from(isText ? body : `${JSON.stringify(body)}\n`);
  response.statusCode = status;
  response.setHeader("content-type", isText ? "text/plain; charset=utf-8" : "application/json");
  response.setHeader("content-length", bytes.length);
  for (const [name, value] of GUARDS) response.setHeader(name, value);
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.end(bytes);
}

/** What is told of a failure of which the log has more, under the request's id. */
export const troubleInside = (requestId: string): ErrorBody =>
  errorBody(Code.Internal, `something went wrong inside; request id ${requestId}`);

/** Answers a plain request with the error of a call. */
export function answerError({ response }: Exchange, error: ConnectError): void {
  const headers: http.OutgoingHttpHeaders = {};
  for (const [name, value] of error.metadata) headers[name] = value;
  if (error.code === Code.Unauthenticated) headers["www-authenticate"] = "Bearer";
  answer(response, codeToHttpStatus(error.code), errorToJson(error, undefined), headers);
}
