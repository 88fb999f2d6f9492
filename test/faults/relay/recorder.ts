import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import type { PlannedExchange, PlannedReply, RawHeaders } from "./exchange.ts";

/** What one end of an exchange saw. */
export interface Seen {
  head: string;
  headers: RawHeaders;
  bodySha256: string;
  trailers: RawHeaders;
}

/** A server that answers what it is told to, byte for byte, and keeps what it was asked. */
export interface Recorder extends AsyncDisposable {
  readonly url: string;
  /** Answers the calls that carry this number so, and gives what came. */
  expect(plan: PlannedExchange): Promise<Seen>;
}

/** By this header the server knows which exchange a call belongs to. */
export const NUMBER = "x-number";

/** Method, scheme, authority and path, which come first. */
const PSEUDO_HEADERS = 4;

export const hashOf = (chunks: Buffer[]) =>
  createHash("sha256").update(Buffer.concat(chunks)).digest("hex");

export async function startRecorder(): Promise<Recorder> {
  const plans = new Map<string, { plan: PlannedExchange; seen: (seen: Seen) => void }>();
  const find = (headers: RawHeaders) => {
    const number = headers[headers.indexOf(NUMBER) + 1] ?? "";
    const found = plans.get(number);
    plans.delete(number);
    return found;
  };

  const http1 = http.createServer((request) => {
    const { socket, rawHeaders, method, url } = request;
    const found = find(rawHeaders);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {});
    request.on("end", () => {
      found?.seen({
        head: `${method} ${url}`,
        headers: rawHeaders,
        bodySha256: hashOf(chunks),
        trailers: request.rawTrailers,
      });
      // Written past Node's own answer, so that it is what was planned to the byte.
      if (found) writeReply(socket, found.plan.reply);
    });
  });
  const http2Server = http2.createServer({ strictSingleValueFields: false } as object);
  http2Server.on("stream", (stream, _headers, _flags, rawHeaders: RawHeaders) => {
    const found = find(rawHeaders);
    const chunks: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const pseudo = (name: string) => rawHeaders[rawHeaders.indexOf(name) + 1];
      found?.seen({
        head: `${pseudo(":method")} ${pseudo(":path")}`,
        headers: rawHeaders.slice(2 * PSEUDO_HEADERS),
        bodySha256: hashOf(chunks),
        trailers: [],
      });
      if (found) answer(stream, found.plan.reply);
    });
  });

  const sockets = new Set<net.Socket>();
  const front = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    socket.once("readable", () => {
      const first: Buffer | null = socket.read();
      if (!first) return;
      socket.unshift(first);
      const spoken = first.subarray(0, 4).toString() === "PRI " ? http2Server : http1;
      spoken.emit("connection", socket);
    });
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");

  return {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    expect: (plan) =>
      new Promise((resolve) => plans.set(String(plan.number), { plan, seen: resolve })),
    async [Symbol.asyncDispose]() {
      front.close();
      for (const socket of sockets) socket.destroy();
      await once(front, "close");
    },
  };
}

const lines = (headers: RawHeaders) =>
  Array.from(
    { length: headers.length / 2 },
    (_, i) => `${headers[2 * i]}: ${headers[2 * i + 1]}\r\n`,
  );

function writeReply(socket: net.Socket, reply: PlannedReply): void {
  const { kind, status, reason, headers, body, isChunked, trailers } = reply;
  const write = (...parts: string[]) => socket.write(parts.join(""), "latin1");
  const length = body.reduce((sum, { length }) => sum + length, 0);
  const start = `HTTP/1.1 ${status} ${reason}\r\n`;
  switch (kind) {
    case "no answer":
      socket.destroy();
      return;
    case "another protocol":
      write("SSH-2.0-OpenSSH_9.6\r\n");
      return;
    case "two lengths":
      write(start, "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
      return;
    case "length and chunks":
      write(start, "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
      return;
    case "no length":
      write(start, "\r\n", "whatever");
      socket.end();
      return;
    case "broken chunk":
      write(start, ...lines(headers), "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX");
      return;
    case "too much":
      write(start, "Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
      return;
    case "cut short":
      write(start, ...lines(headers), `Content-Length: ${length + 10}\r\n\r\n`);
      for (const piece of body) socket.write(piece);
      socket.end();
      return;
  }
  write(
    start,
    ...lines(headers),
    isChunked && kind !== "no body" ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n",
  );
  if (kind === "no body") return;
  for (const piece of body) {
    if (isChunked) write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    if (isChunked) write("\r\n");
  }
  if (isChunked) write("0\r\n", ...lines(trailers), "\r\n");
}

function answer(stream: http2.ServerHttp2Stream, reply: PlannedReply): void {
  if (stream.destroyed) return;
  const { kind, status, headers, body, trailers } = reply;
  const endStream = kind === "trailers only" || kind === "no body";
  const manner = { endStream, waitForTrailers: !endStream, sendDate: false };
  stream.respond([":status", String(status), ...headers], manner);
  if (endStream) return;
  stream.on("wantTrailers", () => {
    const lists: Record<string, string[]> = {};
    for (let i = 0; i < trailers.length; i += 2) {
      const name = trailers[i] ?? "";
      lists[name] = [...(lists[name] ?? []), trailers[i + 1] ?? ""];
    }
    stream.sendTrailers(lists);
  });
  for (const piece of body) stream.write(piece);
  stream.end();
}
