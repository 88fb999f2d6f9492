import http from "node:http";
import https from "node:https";
import type { Interceptor, Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";

export interface TransportOptions {
  /** Sent as "authorization: Bearer …". */
  token?: string;
  /** Sent as a collector would that passes the call on. */
  relay?: string;
  /** "connect" unless told otherwise. */
  protocol?: "connect" | "grpc" | "grpc-web";
  /** "2" unless told otherwise; gRPC knows no other. */
  httpVersion?: "1.1" | "2";
  /** Messages as JSON in place of the binary form. */
  json?: boolean;
}

/** Clients of one address, which share its connections. */
export interface Transports extends Disposable {
  transport(options?: TransportOptions): Transport;
}

/** Trusts the authority that is given, in PEM form; an empty one is for addresses without TLS. */
export function makeTransports(url: string, ca: string): Transports {
  const trust = ca ? { ca } : {};
  const session = new Http2SessionManager(url, {}, trust);
  const agent = ca
    ? new https.Agent({ keepAlive: true, ...trust })
    : new http.Agent({ keepAlive: true });
  const transport = (options: TransportOptions = {}): Transport => {
    const { token, relay, protocol = "connect", httpVersion = "2", json = false } = options;
    const authorize: Interceptor = (next) => (request) => {
      if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
      if (relay !== undefined) request.header.set("lumetry-relay-authorization", `Bearer ${relay}`);
      return next(request);
    };
    const shape = { baseUrl: url, useBinaryFormat: !json, interceptors: [authorize] };
    const over2 = { ...shape, httpVersion: "2", sessionManager: session } as const;
    if (protocol === "grpc") return createGrpcTransport(over2);
    const over =
      httpVersion === "2" ? over2 : ({ ...shape, httpVersion, nodeOptions: { agent } } as const);
    return protocol === "connect" ? createConnectTransport(over) : createGrpcWebTransport(over);
  };
  return {
    transport,
    [Symbol.dispose]() {
      session.abort();
      agent.destroy();
    },
  };
}
