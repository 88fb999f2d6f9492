import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamToJson,
  errorToJson,
} from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { ProblemSchema, Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import { errorBody } from "../../lib/http/error-body.ts";
import type { RawHeaders } from "./headers.ts";

/** What a collector says in its own name: about a request that is none, or why a call is not passed on. */
export type Refusal =
  | { kind: "request"; status: number; code: Code; message: string }
  | { kind: "call"; error: ConnectError };

/** An answer of the collector's own, as a whole. */
export interface OwnAnswer {
  status: number;
  headers: RawHeaders;
  body: Buffer;
}

/** For whoever was turned away by a collector that is busy. */
const BUSY_RETRY_MS = 1_000;

/** Always "unavailable": no word of the collector's may be taken for the server's on an identity. */
function unavailable(reason: Reason, message: string, retryMs?: number): Refusal {
  const error = new ConnectError(message, Code.Unavailable, undefined, [
    {
      desc: ProblemSchema,
      value: create(ProblemSchema, {
        reason,
        ...(retryMs !== undefined && { retryAfter: durationFromMs(retryMs) }),
      }),
    },
  ]);
  return { kind: "call", error };
}

/** The server cannot be reached from here, so take another way; `why` ends the sentence. */
export const unreachable = (why: string) =>
  unavailable(Reason.UPSTREAM_UNREACHABLE, `the collector cannot reach the server: ${why}`);

/** This collector does not pass the call on, for now or in this way. */
export const turnedAway = (message: string) =>
  unavailable(Reason.RELAY_BUSY, message, BUSY_RETRY_MS);

export const NOT_RELAYED: Refusal = {
  kind: "request",
  status: 404,
  code: Code.Unimplemented,
  message: "a collector relays what agents call, and nothing else is at this path",
};

export const WRONG_METHOD: Refusal = {
  kind: "request",
  status: 405,
  code: Code.Unimplemented,
  message: "calls are POST, or GET where they only read",
};

export const HEADERS_TOO_LARGE: Refusal = {
  kind: "request",
  status: 431,
  code: Code.ResourceExhausted,
  message: "the headers of a request, with its path, may take 16 KiB together",
};

/** Words a refusal in the protocol of the call, which its content type tells. */
export function answerTo(refusal: Refusal, contentType: string): OwnAnswer {
  if (refusal.kind === "request") {
    const { status, code, message } = refusal;
    return json(status, errorBody(code, message));
  }
  const { error } = refusal;
  const type = contentType.toLowerCase();
  if (type.startsWith("application/grpc-web")) {
    const body = encodeEnvelope(trailerFlag, trailerSerialize(statusOf(error)));
    return { status: 200, headers: withLength(contentType, body), body: Buffer.from(body) };
  }
  if (type.startsWith("application/grpc")) {
    // In the headers alone, as gRPC has it for answers without a message.
    const headers = withLength(contentType, Buffer.alloc(0));
    for (const [name, value] of statusOf(error)) headers.push(name, value);
    return { status: 200, headers, body: Buffer.alloc(0) };
  }
  if (type.startsWith("application/connect+")) {
    const end = JSON.stringify(endStreamToJson(new Headers(), error, undefined));
    const body = encodeEnvelope(endStreamFlag, new TextEncoder().encode(end));
    return { status: 200, headers: withLength(contentType, body), body: Buffer.from(body) };
  }
  return json(codeToHttpStatus(error.code), errorToJson(error, undefined));
}

function statusOf(error: ConnectError): Headers {
  const trailer = new Headers();
  setTrailerStatus(trailer, error);
  return trailer;
}

function json(status: number, value: unknown): OwnAnswer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  return { status, headers: withLength("application/json", body), body };
}

const withLength = (contentType: string, body: Uint8Array): RawHeaders => [
  ...["content-type", contentType],
  ...["content-length", String(body.length)],
  ...["cache-control", "no-store"],
  ...["x-content-type-options", "nosniff"],
  ...["date", new Date().toUTCString()],
];
