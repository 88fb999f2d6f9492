import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import type { Pair } from "../../lib/certificates/pair.ts";
import { issueCertificate, makeAuthority } from "../../server/certificates/authority.ts";

/** Something that listens on 127.0.0.1 and is polled. */
export interface Target extends AsyncDisposable {
  port: number;
  url: string;
  /** Connections that are open now. */
  readonly connections: Set<net.Socket>;
}

async function open(server: net.Server, scheme: string): Promise<Target> {
  const connections = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    connections.add(socket);
    // Whoever does not read does not hear the end either.
    if (scheme === "tcp") socket.resume();
    socket.on("error", () => {});
    socket.on("close", () => connections.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    connections,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of connections) socket.destroy();
      await once(server, "close");
    },
  };
}

export const startHttpTarget = (handler: http.RequestListener): Promise<Target> =>
  open(http.createServer(handler), "http");

export const startTcpTarget = (handler: (socket: net.Socket) => void): Promise<Target> =>
  open(net.createServer(handler), "tcp");

/** A port of 127.0.0.1 in front of a Unix socket. */
export const startTcpFront = (socketPath: string): Promise<Target> =>
  startTcpTarget((socket) => {
    const inner = net.connect(socketPath);
    inner.on("error", () => socket.destroy());
    socket.on("close", () => inner.destroy());
    inner.on("close", () => socket.destroy());
    socket.pipe(inner);
    inner.pipe(socket);
  });

export interface TlsTarget extends Target {
  /** The authority of its certificate, in PEM form. */
  ca: string;
}

const DAY_MS = 86_400_000;
let authority: Promise<Pair> | undefined;

/** An HTTPS server whose certificate ends in so many days; negative for one that has ended. */
export async function startHttpsTarget(
  handler: http.RequestListener,
  options: { daysLeft?: number; names?: string[] } = {},
): Promise<TlsTarget> {
  const { daysLeft = 365, names = ["localhost", "127.0.0.1"] } = options;
  authority ??= makeAuthority("test", Date.now() - 5 * 365 * DAY_MS);
  const { cert: ca } = await authority;
  // They are good for 365 days from when they are made.
  const madeAt = Date.now() - (365 - daysLeft) * DAY_MS;
  const pair = await issueCertificate(await authority, names, madeAt);
  return Object.assign(await open(https.createServer(pair, handler), "https"), { ca });
}
