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
import type { FastAnswer, FastCall, FastRoute } from "../http/fast-path.ts";
import { gzip } from "../http/gzip.ts";
import { headersOf } from "../http/headers.ts";
import type { Accounts } from "../interceptors/requests.ts";
import { answerOf } from "./answer.ts";
import { explain } from "./explain.ts";
import { senderOf } from "./sender.ts";
import type { Ingest } from "./write.ts";

const method = MetricsService.method.writeMetrics;
const PATH = `/${method.parent.typeName}/${method.name}`;
/** Answers below are not worth compressing; as in the general stack. */
const LEAST_COMPRESSED_BYTES = 1024;

/**
 * WriteMetrics in the binary form of the Connect protocol, past the general stack, which would make
 * an object of each point: for requests that Node's HTTP has read, and for those that it need not
 * read. Clients cannot tell any of these apart, but by the time that it takes.
 */
export function directRoutes(parts: {
  ingest: Ingest;
  gate: Gate;
  accounts: Accounts;
  /** Of a request, compressed or not. */
  mostBytes: number;
  longestCallMs: number;
  /** Aborted, with what clients are told, when running calls have to end. */
  stopping: AbortSignal;
}): { plain: PlainRoute; fast: FastRoute } {
  const { ingest, gate, accounts, mostBytes, longestCallMs, stopping } = parts;

  const running = new Set<AbortController>();
  stopping.addEventListener("abort", () => {
    for (const ending of running) ending.abort(stopping.reason);
  });

  /** Ends a call when its time is over, or the server stops; to be disposed of when it has ended. */
  const watch = (ending: AbortController, timeoutMs: number | undefined): Disposable => {
    const expire = () =>
      ending.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    if (timeoutMs === 0) expire();
    if (stopping.aborted) ending.abort(stopping.reason);
    const timer = timeoutMs ? setTimeout(expire, timeoutMs) : undefined;
    running.add(ending);
    return {
      [Symbol.dispose]() {
        clearTimeout(timer);
        running.delete(ending);
      },
    };
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

  const respond = async ({ headers, origin, ending, body }: FastCall): Promise<FastAnswer> => {
    const timeout = parseTimeout(headers.get(headerTimeout), longestCallMs);
    const compression = compressionNegotiate(
      [gzip],
      headers.get(headerUnaryEncoding),
      headers.get(headerUnaryAcceptEncoding),
      headerUnaryAcceptEncoding,
    );
    using _ = watch(ending, timeout.timeoutMs);
    const values = createContextValues().set(originKey, origin);
    const call: CallContext = { method, requestHeader: headers, values, signal: ending.signal };

    const receive = async () => {
      await gate.admitCall(call);
      if (compression.error) throw compression.error;
      if (timeout.error) throw timeout.error;
      const sent = await body(mostBytes);
      return compression.request ? compression.request.decompress(sent, mostBytes) : sent;
    };
    let answer: FastAnswer;
    try {
      const received = await accounts.keepRefusal(call, receive);
      const bytes = await accounts.keep(call, () => write(call, received));
      answer = { status: 200, contentType: contentTypeUnaryProto, bytes, more: [] };
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      answer = answerOfError(error);
    }
    return compression.response ? compress(answer, compression.response) : answer;
  };

  return {
    plain: {
      path: PATH,
      method: "POST",
      contentType: contentTypeUnaryProto,
      async handle(exchange) {
        const { request, response, origin, whole: body } = exchange;
        const ending = new AbortController();
        response.once("close", () => {
          if (!response.writableFinished) ending.abort();
        });
        send(exchange, await respond({ headers: headersOf(request), origin, ending, body }));
      },
    },
    fast: { path: PATH, contentType: contentTypeUnaryProto, respond },
  };
}

function answerOfError(error: ConnectError): FastAnswer {
  const more = new Headers();
  mergeNonProtocolHeaders(more, error.metadata);
  return {
    status: codeToHttpStatus(error.code),
    contentType: contentTypeUnaryJson,
    bytes: errorToJsonBytes(error, undefined),
    more: [...more],
  };
}

async function compress(answer: FastAnswer, { compress, name }: Compression): Promise<FastAnswer> {
  const { bytes, more } = answer;
  if (bytes.length < LEAST_COMPRESSED_BYTES) return answer;
  return { ...answer, bytes: await compress(bytes), more: [["content-encoding", name], ...more] };
}

function send(exchange: Exchange, { status, contentType, bytes, more }: FastAnswer): void {
  if (isGone(exchange)) return;
  const { response } = exchange;
  response.statusCode = status;
  response.setHeader("content-type", contentType);
  response.setHeader("content-length", bytes.length);
  for (const [name, value] of more) response.setHeader(name, value);
  // A short text leaves in one piece with its headers; bytes would take a write of their own.
  if (bytes.length >= LEAST_COMPRESSED_BYTES) response.end(bytes);
  else response.end(Buffer.from(bytes).toString("latin1"), "latin1");
}
