import type { Duplex } from "node:stream";
import type { Connection } from "../../../lib/http/connections.ts";
import { AgentConnection, type Http1AgentParts } from "./agent-connection.ts";
import { Parsers } from "./parser.ts";

/** Agents that speak HTTP/1.1. */
export interface Http1AgentSide {
  serve(socket: Duplex, connection: Connection, isEncrypted: boolean): void;
  sweep(): void;
  /** Each answer is the last on its connection; those without a call are closed. */
  wind(): void;
}

export function makeHttp1AgentSide(options: Omit<Http1AgentParts, "parsers">): Http1AgentSide {
  const parts = { ...options, parsers: new Parsers("request", options.limits.headerBytes) };
  const open = new Set<AgentConnection>();
  return {
    serve(socket, connection, isEncrypted) {
      const agent = new AgentConnection(parts, socket, connection, isEncrypted);
      open.add(agent);
      socket.once("close", () => open.delete(agent));
    },
    sweep() {
      const now = parts.clock.monotonic();
      for (const agent of open) agent.sweep(now);
    },
    wind() {
      for (const agent of open) agent.wind();
    },
  };
}
