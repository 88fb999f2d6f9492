import net from "node:net";
import tls from "node:tls";
import type { Clock } from "../../../lib/clock.ts";
import { find, type RawHeaders } from "../headers.ts";
import type { RelayLimits } from "../limits.ts";
import type { Upstream } from "../upstream.ts";
import type { Ask } from "./ask.ts";
import type { Framing } from "./asking.ts";
import { type Head, makeParser, type Parser } from "./parser.ts";

/**
 * In the form of TLS, and as a view of which Node makes a copy for itself. Of a list it makes a piece of
 * a slab of 64 KiB, which the connection would hold on to.
 */
const HTTP1 = new DataView(new TextEncoder().encode("\x08http/1.1").buffer);

/** Where connections to the server come from and go back to. */
export interface Pool {
  readonly upstream: Upstream;
  readonly limits: RelayLimits;
  readonly clock: Clock;
  /** Of the last TLS handshake; the next one is cheaper with it. */
  session: Buffer | undefined;
  /** It is made, so the next one may be. */
  reached(connection: ServerConnection): void;
  /** False when it is not worth keeping. */
  release(connection: ServerConnection): boolean;
  /** It is over; `missed` tells why it was never made. */
  forget(connection: ServerConnection, missed?: Error): void;
}

/** A connection to the server, for one call at a time. */
export class ServerConnection {
  readonly socket: net.Socket;
  #pool: Pool;
  #parser: Parser;
  #ask: Ask | undefined;
  #isReached = false;
  /** The trailers of an answer that is whole. */
  #trailers: RawHeaders | undefined;
  #status = 0;
  #keepsAlive = false;
  /** Why nothing more of this connection is believed. */
  #fault: string | undefined;
  idleSince = 0;
  hasCarriedOnlyWrites = true;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#parser = makeParser("answer", pool.limits.headerBytes * 2, {
      onBegin: () => {
        // Nobody has asked for a second answer: it would be taken for that to the next call.
        if (this.#trailers) this.#fault = "it answered more than it was asked";
      },
      onHead: (head) => this.#onHead(head),
      onBody: (bytes) => {
        if (this.#fault === undefined) this.#ask?.answering.onAnswerBody(bytes);
      },
      onEnd: (trailers) => {
        if (this.#status >= 200) this.#trailers = trailers;
      },
    });
    this.socket = this.#connect();
  }

  #connect(): net.Socket {
    const { upstream, limits } = this.#pool;
    const { host, port } = upstream;
    const common = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
    const tunnel = upstream.tunnel();
    const socket = upstream.tls
      ? tls.connect({
          ...common,
          ...upstream.tls,
          ...(tunnel && { socket: tunnel }),
          ALPNProtocols: HTTP1,
          ...(this.#pool.session && { session: this.#pool.session }),
        })
      : net.connect(common);
    socket.setTimeout(limits.connectMs, () => {
      socket.destroy(Object.assign(new Error("it does not answer"), { code: "ETIMEDOUT" }));
    });
    socket.once(upstream.tls ? "secureConnect" : "connect", () => {
      socket.setTimeout(0);
      this.#isReached = true;
      upstream.reached();
      this.#pool.reached(this);
    });
    socket.on("session", (session: Buffer) => {
      this.#pool.session = ownCopy(session);
    });
    socket.on("data", (bytes: Buffer) => this.#onData(bytes));
    socket.on("drain", () => this.#ask?.answering.onDrain());
    let broken: Error | undefined;
    socket.on("error", (error) => {
      broken = error;
    });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      const error = broken ?? new Error("the connection broke");
      if (!this.#isReached && this.#ask) upstream.missed(error);
      this.#fail(error);
    });
    return socket;
  }

  begin(ask: Ask): void {
    this.#ask = ask;
    this.hasCarriedOnlyWrites &&= ask.isWrite;
    this.#trailers = undefined;
    this.#status = 0;
  }

  /** Nothing more is told of a call that it may have. */
  close(): void {
    this.#ask = undefined;
    this.socket.destroy();
  }

  #fail(error: Error): void {
    const ask = this.#ask;
    this.#ask = undefined;
    // Not from within the parser, which may be what found the fault.
    setImmediate(() => this.#parser.close());
    this.#pool.forget(this, this.#isReached ? undefined : error);
    ask?.answering.onFail(error);
  }

  #onHead(head: Head): void {
    if (this.#fault !== undefined || !this.#ask) return;
    const { status, headers, version } = head;
    this.#status = status;
    if (status === 100) this.#ask.answering.onContinue();
    if (status === 101) this.#fault = "it changed the protocol";
    if (status < 200) return;
    this.#keepsAlive = head.keepsAlive && version === "1.1";
    const framing = framingOf(status, headers);
    if (framing === undefined) this.#fault = "it did not say how long its answer is";
    else this.#ask.answering.onAnswer(head, framing);
  }

  #onData(bytes: Buffer): void {
    if (!this.#ask) {
      this.close();
      return;
    }
    const read = this.#parser.read(bytes);
    if (read instanceof Error) this.#fault ??= "its answer is not well-formed";
    else if (read < bytes.length) this.#fault ??= "it changed the protocol";
    if (this.#fault !== undefined) {
      this.socket.destroy();
      this.#fail(new Error(this.#fault));
      return;
    }
    this.#ask?.answering.onFlush();
    const ask = this.#ask;
    // Whoever asked may have given up in the meantime.
    if (this.#trailers && ask) this.#end(ask, this.#trailers);
  }

  #end(ask: Ask, trailers: RawHeaders): void {
    this.#ask = undefined;
    ask.leave();
    this.socket.resume();
    this.idleSince = this.#pool.clock.monotonic();
    const isKept = ask.isComplete && this.#keepsAlive && this.#pool.release(this);
    if (!isKept) this.socket.destroy();
    ask.answering.onAnswerEnd(trailers);
  }
}

/** Node cuts it from a slab of 64 KiB, which every connection that is made with it would hold on to. */
function ownCopy(session: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(session.length);
  session.copy(copy);
  return copy;
}

/** Undefined for a body that lasts until the connection ends: nobody could tell that it is whole. */
function framingOf(status: number, headers: RawHeaders): Framing | undefined {
  if (status === 204 || status === 304) return "none";
  const encoding = find(headers, "transfer-encoding");
  if (encoding !== undefined) return encoding.toLowerCase() === "chunked" ? "chunks" : undefined;
  return find(headers, "content-length") === undefined ? undefined : "length";
}
