import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";

type Call = { request: http.IncomingMessage | http2.Http2ServerRequest; response: Response };
type Response = http.ServerResponse | http2.Http2ServerResponse;

/** A plain server of both versions of HTTP, in cleartext, in place of Lumetry's. */
export interface Stand extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** What was asked so far, as "POST /path". */
  readonly asked: string[];
  /** Sockets and sessions of those who are connected. */
  readonly sockets: ReadonlySet<net.Socket>;
  readonly sessions: ReadonlySet<http2.ServerHttp2Session>;
}

/** Answers each call as the handler does; with "ok" unless told otherwise. */
export async function startStand(
  handle: (call: Call) => void = ({ request, response }) => {
    request.resume();
    request.on("end", () => response.end("ok"));
  },
  port = 0,
): Promise<Stand> {
  const asked: string[] = [];
  const sockets = new Set<net.Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();
  const onRequest = (request: Call["request"], response: Response) => {
    asked.push(`${request.method} ${request.url}`);
    request.on("error", () => {});
    response.on("error", () => {});
    handle({ request, response });
  };
  const http1 = http.createServer(onRequest);
  http1.on("checkContinue", (request, response) => {
    response.writeContinue();
    onRequest(request, response);
  });
  const http2Server = http2.createServer(onRequest);
  http2Server.on("session", (session) => {
    session.on("error", () => {});
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  const front = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    socket.once("readable", () => {
      const first: Buffer | null = socket.read();
      if (!first) return;
      socket.unshift(first);
      const server = first.subarray(0, 4).toString() === "PRI " ? http2Server : http1;
      server.emit("connection", socket);
    });
  });
  front.listen(port, "127.0.0.1");
  await once(front, "listening");
  const { port: open } = front.address() as AddressInfo;
  return {
    ...{ asked, sockets, sessions, port: open, url: `http://127.0.0.1:${open}` },
    async [Symbol.asyncDispose]() {
      front.close();
      for (const socket of sockets) socket.destroy();
      await once(front, "close");
    },
  };
}
