import type { X509Certificate } from "node:crypto";
import http, { type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { createGunzip } from "node:zlib";
import type { Dialler, TlsOptions, Trace } from "./dialler.ts";
import { connectionFailed, EgressFailure, outOfTime } from "./failure.ts";
import { hostAndPort, placeOf, readUrl } from "./host.ts";

const MOST_HEADER_BYTES = 32 * 1024;

/** Set by the client itself, or about the connection: nobody else's business. */
const FORBIDDEN_HEADERS = new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export interface HttpRequest {
  method: string;
  url: string;
  headers?: Readonly<Record<string, string>>;
  /** Headers that hold secrets: they go to the origin of `url`, and not along with a redirect to another one. */
  secretHeaders?: Readonly<Record<string, string>>;
  body?: Uint8Array;
  /** Redirects to follow; 0 takes one as the answer. */
  redirects?: number;
  /** Of the answer's body, after decompression. */
  mostBytes: number;
  /** What to do with a longer body: give its beginning, or fail. */
  whenLonger: "cut" | "fail";
  /** Told of every part of the body that is kept; may throw to end the exchange. */
  charge?: ((bytes: number) => void) | undefined;
  tls?: TlsOptions | undefined;
  signal: AbortSignal;
  trace?: Trace | undefined;
}

export interface HttpAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  isCut: boolean;
  /** Where it came from in the end. */
  url: string;
  /** The address it came from. */
  address: string;
  /** What the server showed, over https. */
  certificate: X509Certificate | undefined;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** One HTTP exchange over connections of its own. Throws EgressFailure. */
export async function requestHttp(dialler: Dialler, request: HttpRequest): Promise<HttpAnswer> {
  let url = readUrl(request.url);
  const { origin } = url;
  let { method, body } = request;
  for (let left = request.redirects ?? 0; ; left -= 1) {
    const headers = {
      ...request.headers,
      ...(url.origin === origin ? request.secretHeaders : {}),
    };
    const answer = await exchange(dialler, url, { ...request, method, body, headers });
    const location = REDIRECTS.has(answer.status) ? answer.headers.location : undefined;
    if (location === undefined || (request.redirects ?? 0) === 0) {
      return { ...answer, url: url.href };
    }
    if (left === 0) {
      throw new EgressFailure(
        "protocol",
        `${origin} redirected more than ${request.redirects} times`,
      );
    }
    const next = readUrl(
      URL.canParse(location, url.href) ? new URL(location, url.href).href : location,
    );
    if (url.protocol === "https:" && next.protocol === "http:") {
      throw new EgressFailure(
        "protocol",
        `${url.origin} redirected to http:, which is not encrypted`,
      );
    }
    if (answer.status === 303 || (answer.status < 303 && method === "POST")) {
      method = method === "HEAD" ? "HEAD" : "GET";
      body = undefined;
    }
    url = next;
  }
}

type Hop = Omit<HttpRequest, "body"> & { body: Uint8Array | undefined };

async function exchange(dialler: Dialler, url: URL, request: Hop) {
  const { signal, trace } = request;
  const { host, port } = placeOf(url);
  const where = hostAndPort(host, port);
  const { socket, address } = await dialler.dial(host, port, {
    signal,
    trace,
    tls: url.protocol === "https:" ? { alpn: ["http/1.1"], ...request.tls } : undefined,
  });
  try {
    trace?.("first_byte", `waiting for the answer of ${where}`);
    const message = await receiveHead(socket, url, request, where);
    trace?.("transfer", `receiving the answer of ${where}`);
    const { statusCode: status = 0, headers } = message;
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    const received = await receiveBody(message, request, where);
    return { status, headers, address, certificate, ...received };
  } finally {
    socket.destroy();
  }
}

function headersOf(request: Hop): Record<string, string> {
  const given = Object.entries(request.headers ?? {}).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  const forbidden = given.find(([name]) => FORBIDDEN_HEADERS.has(name));
  if (forbidden) {
    throw new EgressFailure("protocol", `the header ${forbidden[0]} cannot be set: leave it out`);
  }
  return {
    accept: "*/*",
    "accept-encoding": "gzip",
    "user-agent": "lumetry",
    ...Object.fromEntries(given),
    ...(request.body === undefined ? {} : { "content-length": String(request.body.length) }),
  };
}

function receiveHead(socket: Socket, url: URL, request: Hop, where: string) {
  const { signal } = request;
  return new Promise<IncomingMessage>((resolve, reject) => {
    if (signal.aborted) return reject(outOfTime(where, "sending the request"));
    let isAnswered = false;
    const fail = (error: Error) => {
      if (isAnswered) return;
      reject(
        signal.aborted ? outOfTime(where, "waiting for an answer") : exchangeFailed(where, error),
      );
    };
    try {
      const outgoing = http.request({
        // On the connection that the dialler made, for this exchange only.
        createConnection: () => socket,
        method: request.method,
        path: `${url.pathname}${url.search}`,
        host: url.hostname,
        port: url.port || undefined,
        defaultPort: url.protocol === "https:" ? 443 : 80,
        headers: headersOf(request),
        maxHeaderSize: MOST_HEADER_BYTES,
      });
      outgoing.on("error", fail);
      outgoing.once("response", (message) => {
        isAnswered = true;
        resolve(message);
      });
      outgoing.once("upgrade", () => fail(new Error("switched to another protocol")));
      outgoing.once("close", () => {
        // It comes after every answer, too; an error for each would be a stack for each.
        if (!isAnswered) fail(new Error("closed the connection without an answer"));
      });
      outgoing.end(request.body);
    } catch (error) {
      fail(error as Error);
    }
  });
}

function exchangeFailed(where: string, error: Error & { code?: string }): EgressFailure {
  if (error instanceof EgressFailure) return error;
  if (error.code === "ECONNRESET" || error.code === "EPIPE") {
    return new EgressFailure("protocol", `${where} closed the connection without an answer`);
  }
  if (error.code === "HPE_HEADER_OVERFLOW") {
    return new EgressFailure("protocol", `${where} answers with more than 32 KiB of headers`);
  }
  if (error.code?.startsWith("HPE_")) {
    return new EgressFailure("protocol", `${where} does not answer in HTTP/1.1`);
  }
  if (error.code?.startsWith("ERR_INVALID") || error.code?.startsWith("ERR_UNESCAPED")) {
    return new EgressFailure("protocol", `the request cannot be made: ${error.message}`);
  }
  return connectionFailed(where, error);
}

function receiveBody(message: IncomingMessage, request: Hop, where: string) {
  const { signal, mostBytes, whenLonger, charge } = request;
  return new Promise<{ body: Buffer; isCut: boolean }>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const isGzip =
      request.method !== "HEAD" && message.headers["content-encoding"]?.toLowerCase() === "gzip";
    const source = isGzip ? message.pipe(createGunzip()) : message;
    let arrived = 0;
    message.on("data", (chunk: Buffer) => {
      arrived += chunk.length;
    });
    const finish = (isCut: boolean) => {
      message.destroy();
      source.destroy();
      resolve({ body: Buffer.concat(chunks), isCut });
    };
    const fail = (error: Error) => {
      message.destroy();
      source.destroy();
      reject(signal.aborted ? outOfTime(where, "receiving the answer") : error);
    };
    source.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      try {
        charge?.(chunk.length);
      } catch (error) {
        return fail(error as Error);
      }
      if (bytes <= mostBytes) chunks.push(chunk);
      else if (whenLonger === "cut") {
        chunks.push(chunk.subarray(0, chunk.length - (bytes - mostBytes)));
        finish(true);
      } else {
        fail(new EgressFailure("protocol", `${where} answers with more than ${mostBytes} bytes`));
      }
    });
    source.once("end", () => finish(false));
    const breakOff = () => fail(new EgressFailure("protocol", `${where} broke off in its answer`));
    if (isGzip) {
      source.once("error", () => {
        // An empty body has no gzip either, whatever its head says.
        if (arrived === 0 && message.complete) finish(false);
        else fail(new EgressFailure("protocol", `${where} answers with damaged gzip`));
      });
    }
    message.once("error", breakOff);
    message.once("close", () => {
      if (!message.complete) breakOff();
    });
  });
}
