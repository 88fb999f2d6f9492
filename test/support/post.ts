import http2 from "node:http2";
import type { TestServer } from "./server.ts";

export interface Answer {
  status: number;
  headers: http2.IncomingHttpHeaders;
  trailers: http2.IncomingHttpHeaders;
  body: Buffer;
  text: string;
}

/** One request over HTTP/2 with these headers and this body, which may be kept open. */
export async function send(
  server: TestServer,
  headers: http2.OutgoingHttpHeaders,
  body: string | Uint8Array | ((stream: http2.ClientHttp2Stream) => void) = "",
): Promise<Answer> {
  const session = http2.connect(server.url, server.ca ? { ca: server.ca } : {});
  session.on("error", () => {});
  try {
    const stream = session.request(headers, { endStream: body === "" });
    const answered = readAnswer(stream);
    if (typeof body === "function") body(stream);
    else if (body !== "") stream.end(body);
    return await answered;
  } finally {
    session.destroy();
  }
}

function readAnswer(stream: http2.ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let headers: http2.IncomingHttpHeaders = {};
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on("response", (received) => {
      headers = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      const body = Buffer.concat(chunks);
      const status = Number(headers[":status"]);
      resolve({ status, headers, trailers, body, text: body.toString() });
    });
  });
}

/** A message of the gRPC protocols, with its envelope. */
export function envelope(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
