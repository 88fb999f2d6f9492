import type net from "node:net";
import type { Clock } from "../clock.ts";
import type { Limits } from "./limits.ts";
import { networkOf } from "./network.ts";

/** One TCP connection, whatever is spoken on it. */
export interface Connection {
  readonly socket: net.Socket;
  /** The other end, without a port; IPv4 in its own form. */
  readonly address: string;
  readonly since: number;
  /** Whether a whole request has ever come. */
  used: boolean;
}

/** All open connections, and the bounds on them. */
export interface Connections {
  readonly open: ReadonlySet<Connection>;
  /** How many were refused so far. */
  readonly refused: number;
  /** Undefined when there are too many, in all or from there: the socket is closed then. */
  admit(socket: net.Socket): Connection | undefined;
  /** Closes those that have not made a request in time. */
  sweep(): void;
  /** Closes all, and settles when they are. */
  close(): Promise<void>;
}

/** A connection may take a little longer than its headers: a TLS handshake comes before them. */
const FIRST_REQUEST = 1.2;

export function makeConnections(limits: Limits, clock: Clock): Connections {
  const open = new Set<Connection>();
  const perAddress = new Map<string, number>();
  let refused = 0;

  return {
    open,
    get refused() {
      return refused;
    },
    admit(socket) {
      // A socket without a listener for errors takes the process down with it.
      socket.on("error", () => {});
      const address = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
      const network = networkOf(address);
      const others = perAddress.get(network) ?? 0;
      if (open.size >= limits.connections || others >= limits.connectionsPerAddress) {
        refused += 1;
        socket.resetAndDestroy();
        return undefined;
      }
      const connection = { socket, address, since: clock.monotonic(), used: false };
      open.add(connection);
      perAddress.set(network, others + 1);
      socket.once("close", () => {
        open.delete(connection);
        const left = (perAddress.get(network) ?? 1) - 1;
        if (left > 0) perAddress.set(network, left);
        else perAddress.delete(network);
      });
      return connection;
    },
    sweep() {
      const latest = clock.monotonic() - limits.headersMs * FIRST_REQUEST;
      for (const { used, since, socket } of open) if (!used && since < latest) socket.destroy();
    },
    async close() {
      const closed = [...open].map(({ socket }) => {
        socket.destroy();
        return new Promise((resolve) => socket.once("close", resolve));
      });
      await Promise.all(closed);
    },
  };
}
