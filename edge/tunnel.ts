import http from "node:http";
import type net from "node:net";
import { Duplex } from "node:stream";
import { NotConnected } from "./not-connected.ts";

/** Where a connection is to go. */
export interface Place {
  host: string;
  port: number;
}

const authorityOf = ({ host, port }: Place) => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Asks the proxy for a way to a place; what comes back carries bytes to and fro. */
function ask(proxy: URL, place: Place, signal: AbortSignal): Promise<net.Socket> {
  const path = authorityOf(place);
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const request = http.request({
    method: "CONNECT",
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port || 80,
    path,
    agent: false,
    signal,
    headers: {
      host: path,
      ...(credentials !== ":" && {
        "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}`,
      }),
    },
  });
  return new Promise((resolve, reject) => {
    const refuse = ({ statusCode, statusMessage }: http.IncomingMessage) => {
      const words = `the proxy ${proxy.host} does not let this host through to ${path}: ${statusCode} ${statusMessage}`;
      reject(new NotConnected(words, "ERR_PROXY"));
    };
    request.once("connect", (response, socket: net.Socket, head) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        refuse(response);
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.once("response", (response) => {
      response.destroy();
      refuse(response);
    });
    request.once("error", (error: NodeJS.ErrnoException) => {
      const words = `the proxy ${proxy.host} cannot be reached: ${error.message || error.code}`;
      reject(new NotConnected(words, error.code ?? "ERR_PROXY", error));
    });
    request.end();
  });
}

/**
 * A way through an HTTP proxy (CONNECT), to speak TLS on. Whatever is written waits until the proxy
 * has agreed; if it does not, the stream ends with NotConnected.
 */
export class Tunnel extends Duplex {
  readonly #given: { proxy: URL; place: Place };
  readonly #stop = new AbortController();
  #socket: net.Socket | undefined;

  constructor(proxy: string, place: Place) {
    super();
    this.#given = { proxy: new URL(proxy), place };
  }

  override _construct(done: (error?: Error | null) => void): void {
    const { proxy, place } = this.#given;
    ask(proxy, place, this.#stop.signal).then((socket) => {
      this.#socket = socket;
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 15_000);
      socket.on("data", (bytes: Buffer) => {
        if (!this.push(bytes)) socket.pause();
      });
      socket.on("end", () => this.push(null));
      socket.on("error", (error) => this.destroy(error));
      socket.on("close", () => this.destroy());
      done();
    }, done);
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(bytes: Buffer, _: string, done: (error?: Error | null) => void): void {
    this.#socket?.write(bytes, done);
  }

  override _final(done: () => void): void {
    if (this.#socket) this.#socket.end(done);
    else done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stop.abort();
    this.#socket?.destroy();
    done(error);
  }
}
