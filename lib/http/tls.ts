import type net from "node:net";
import tls from "node:tls";
import type { Log } from "../log.ts";
import type { Connection } from "./connections.ts";

export interface KeyPair {
  key: string;
  cert: string;
}

/** Shakes hands on connections that somebody else accepts. */
export interface Tls {
  secure(connection: Connection): void;
  /** New connections get this certificate; those that are open keep theirs. */
  setKeyPair(pair: KeyPair): void;
}

const VERSIONS = { minVersion: "TLSv1.2" } as const;

/** What is spoken on TLS, the preferred one first. */
const PROTOCOLS = ["h2", "http/1.1"];

/** A handshake that fails, or takes longer than `handshakeMs`, ends its connection. */
export function makeTls(options: {
  pair: KeyPair;
  handshakeMs: number;
  log: Log;
  onSecure: (socket: tls.TLSSocket, connection: Connection) => void;
}): Tls {
  /** Connections amid a handshake, by what their two sockets have in common. */
  const shaking = new Map<string, Connection>();
  const server = tls.createServer({
    ...options.pair,
    ...VERSIONS,
    // Not as a list: each connection would hold a copy, and with it a slab of 64 KiB that others have left.
    ALPNCallback: ({ protocols }) => PROTOCOLS.find((protocol) => protocols.includes(protocol)),
    handshakeTimeout: options.handshakeMs,
  });
  server.on("secureConnection", (socket) => {
    socket.on("error", () => {});
    const connection = shaking.get(nameOf(socket));
    if (connection) options.onSecure(socket, connection);
    else socket.destroy();
  });
  server.on("tlsClientError", (error, socket) => {
    options.log.debug({ err: error }, "a TLS handshake failed");
    socket.destroy();
  });

  return {
    secure(connection) {
      const { socket } = connection;
      const name = nameOf(socket);
      shaking.set(name, connection);
      socket.once("close", () => shaking.delete(name));
      server.emit("connection", socket);
    },
    // What is not said again would be forgotten.
    setKeyPair: (pair) => server.setSecureContext({ ...pair, ...VERSIONS }),
  };
}

const nameOf = (socket: net.Socket) =>
  `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress}`;
