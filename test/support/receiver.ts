import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  headers: http.IncomingHttpHeaders;
  body: string;
  /** When all of it was there, by `performance.now()`. */
  atMs: number;
}

/** Somebody's endpoint for webhooks, on this machine. */
export interface Receiver extends AsyncDisposable {
  url: string;
  received: Received[];
  /** What it answers from now on; undefined leaves callers hanging. */
  answer: { status: number; headers?: Record<string, string> } | undefined;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      received.push({ headers: request.headers, body, atMs: performance.now() });
      const { answer } = receiver;
      if (answer) response.writeHead(answer.status, answer.headers).end("a body that nobody keeps");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?x=1`,
    received,
    answer: { status: 204 },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return receiver;
}

/** Whether a message carries a signature by this secret, as its receiver checks it. */
export function isSignedBy({ headers, body }: Omit<Received, "atMs">, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const expected = createHmac("sha256", key).update(signed).digest();
  return String(headers["webhook-signature"])
    .split(" ")
    .some((one) => {
      const [version, text = ""] = one.split(",");
      const given = Buffer.from(text, "base64");
      return version === "v1" && given.length === 32 && timingSafeEqual(given, expected);
    });
}
