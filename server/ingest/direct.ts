import { Code, ConnectError, createContextValues } from "@connectrpc/connect";
import {
  type Compression,
  compressionNegotiate,
  mergeNonProtocolHeaders,
} from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  contentTypeUnaryJson,
  contentTypeUnaryProto,
  errorToJsonBytes,
  headerTimeout,
  headerUnaryAcceptEncoding,
  headerUnaryEncoding,
  parseTimeout,
} from "@connectrpc/connect/protocol-connect";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Gate } from "../access/gate.ts";
import { type CallContext, callerOf, originKey } from "../context.ts";
import type { PlainRoute } from "../http/dispatch.ts";
import { type Exchange, isGone } from "../http/exchange.ts";
import { gzip } from "../http/gzip.ts";
import { headersOf } from "../http/headers.ts";
import type { Accounts } from "../interceptors/requests.ts";
import { answerOf } from "./answer.ts";
import { explain } from "./explain.ts";
import { senderOf } from "./sender.ts";
import type { Ingest } from "./write.ts";

const method = MetricsService.method.writeMetrics;
/** Answers below are not worth compressing; as in the general stack. */
const LEAST_COMPRESSED_BYTES = 1024;

/**
 * WriteMetrics in the binary form of the Connect protocol, past the general stack, which would make
 * an object of each point. Clients cannot tell the two apart, but by the time that it takes.
 */
export function directRoute(parts: {
  ingest: Ingest;
  gate: Gate;
  accounts: Accounts;
  /** Of a request, compressed or not. */
  mostBytes: number;
  longestCallMs: number;
  /** Aborted, with what clients are told, when running calls have to end. */
  ending: AbortSignal;
}): PlainRoute {
  const { ingest, gate, accounts, mostBytes, longestCallMs, ending } = parts;

  const running = new Set<AbortController>();
  ending.addEventListener("abort", () => {
    for (const controller of running) controller.abort(ending.reason);
  });

  /** Aborted when the client has gone, its time is over, or the server stops. */
  const watch = ({ response }: Exchange, timeoutMs: number | undefined): AbortSignal => {
    const controller = new AbortController();
    const expire = () =>
      controller.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    if (timeoutMs === 0) expire();
    if (ending.aborted) controller.abort(ending.reason);
    const timer = timeoutMs ? setTimeout(expire, timeoutMs) : undefined;
    running.add(controller);
    response.once("close", () => {
      clearTimeout(timer);
      running.delete(controller);
      if (!response.writableFinished) controller.abort();
    });
    return controller.signal;
  };

  const write = async (call: CallContext, body: Uint8Array): Promise<Uint8Array> => {
    await gate.readmitCall(call);
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    try {
      const appended = await ingest.write(senderOf(callerOf(call)), bytes, {
        confirm: () => gate.readmitCall(call),
        signal: call.signal,
      });
      return answerOf(appended);
    } catch (error) {
      throw explain(error);
    }
  };

  return {
    path: `/${method.parent.typeName}/${method.name}`,
    method: "POST",
    contentType: contentTypeUnaryProto,
    async handle(exchange) {
      const requestHeader = headersOf(exchange.request);
      const timeout = parseTimeout(requestHeader.get(headerTimeout), longestCallMs);
      const compression = compressionNegotiate(
        [gzip],
        requestHeader.get(headerUnaryEncoding),
        requestHeader.get(headerUnaryAcceptEncoding),
        headerUnaryAcceptEncoding,
      );
      const signal = watch(exchange, timeout.timeoutMs);
      const values = createContextValues().set(originKey, exchange.origin);
      const call: CallContext = { method, requestHeader, values, signal };

      const receive = async () => {
        await gate.admitCall(call);
        if (compression.error) throw compression.error;
        if (timeout.error) throw timeout.error;
        const sent = await exchange.whole(mostBytes);
        return compression.request ? compression.request.decompress(sent, mostBytes) : sent;
      };
      let answer: Answer;
      try {
        const body = await accounts.keepRefusal(call, receive);
        const bytes = await accounts.keep(call, () => write(call, body));
        answer = { status: 200, contentType: contentTypeUnaryProto, bytes };
      } catch (error) {
        if (!(error instanceof ConnectError)) throw error;
        answer = answerOfError(error);
      }
      await send(exchange, answer, compression.response);
    },
  };
}

interface Answer {
  status: number;
  contentType: string;
  bytes: Uint8Array;
  more?: Headers;
}

function answerOfError(error: ConnectError): Answer {
  const more = new Headers();
  mergeNonProtocolHeaders(more, error.metadata);
  return {
    status: codeToHttpStatus(error.code),
    contentType: contentTypeUnaryJson,
    bytes: errorToJsonBytes(error, undefined),
    more,
  };
}

async function send(
  exchange: Exchange,
  { status, contentType, bytes, more }: Answer,
  compression: Compression | null,
): Promise<void> {
  const isLong = bytes.length >= LEAST_COMPRESSED_BYTES;
  const body = isLong && compression ? await compression.compress(bytes) : bytes;
  if (isGone(exchange)) return;
  const { response } = exchange;
  response.statusCode = status;
  response.setHeader("content-type", contentType);
  response.setHeader("content-length", body.length);
  if (body !== bytes && compression) response.setHeader("content-encoding", compression.name);
  for (const [name, value] of more ?? []) response.setHeader(name, value);
  // A short text leaves in one piece with its headers; bytes would take a write of their own.
  if (isLong) response.end(body);
  else response.end(Buffer.from(body).toString("latin1"), "latin1");
}
