import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type net from "node:net";
import type { Connection } from "../../lib/http/connections.ts";
import type { Limits } from "../../lib/http/limits.ts";
import type { Log } from "../../lib/log.ts";
import type { CallHeaders, Origin } from "../context.ts";
import { GUARDS, troubleInside } from "./answer.ts";
import type { Exchanges } from "./exchanges.ts";
import { MOST_BODY_BYTES, makeWholeRequests, type WholeRequest } from "./whole-request.ts";

/** A call without the request and the response of Node's HTTP. */
export interface FastCall {
  headers: CallHeaders;
  origin: Origin;
  /** Aborted when the client has gone; whoever carries out the call may abort it as well. */
  ending: AbortController;
  body(mostBytes: number): Promise<Uint8Array>;
}

export interface FastAnswer {
  status: number;
  contentType: string;
  bytes: Uint8Array;
  more: [name: string, value: string][];
}

/** What is posted to one path with one content type. */
export interface FastRoute {
  path: string;
  contentType: string;
  respond(call: FastCall): Promise<FastAnswer>;
}

/**
 * Answers requests of one route that come whole, past Node's HTTP, which takes longer for a small
 * request than storing it. Whatever else comes on a connection goes to Node's HTTP, and so does all
 * that follows it there. Clients cannot tell, but for one that leaves amid a request: it is not told so.
 */
export interface FastPath {
  /** Serves a connection of HTTP/1, of which nothing was read. */
  serve(socket: net.Socket, connection: Connection): void;
  /** Closes connections as soon as nothing runs on them. */
  wind(): void;
}

/** A request in more pieces, or one that takes longer to come, is left to Node's HTTP and its timeouts. */
const MOST_PIECES = 8;
const PATIENCE_MS = 100;
/** A connection is kept for a little longer than its clients are told, so that none is reused in vain. */
const KEPT_LONGER_MS = 1_000;

export function makeFastPath(options: {
  route: FastRoute;
  limits: Limits;
  exchanges: Exchanges;
  log: Log;
  /** Takes a connection over, with whatever it has sent that is not answered. */
  onOther: (socket: net.Socket, connection: Connection) => void;
}): FastPath {
  const { route, limits, exchanges, log, onOther } = options;
  const requests = makeWholeRequests(`POST ${route.path} HTTP/1.1`, route.contentType);
  const keptFor = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(limits.idleMs / 1000)}\r\n\r\n`;
  const lanes = new Set<Lane>();
  let isWinding = false;

  /** One connection, for one call at a time: what comes meanwhile waits. */
  class Lane {
    #socket: net.Socket;
    #connection: Connection;
    /** What was read and not answered. */
    #rest: Buffer | undefined;
    #pieces = 0;
    #isBusy = false;
    #isStalled = false;
    #ending = new AbortController();
    #patience: NodeJS.Timeout | undefined;

    constructor(socket: net.Socket, connection: Connection) {
      this.#socket = socket;
      this.#connection = connection;
      lanes.add(this);
      // Whoever makes no first request is seen to by the sweep of all connections.
      socket.setTimeout(limits.idleMs + KEPT_LONGER_MS);
      socket.on("data", this.#onData).on("timeout", this.#onTimeout).on("close", this.#onClose);
    }

    /** What has begun to come is Node's, which gives it the time that it has when a server stops. */
    wind() {
      if (this.#isBusy) return;
      if (this.#rest) this.#leave();
      else this.#socket.destroySoon();
    }

    #onData = (chunk: Buffer) => {
      this.#rest = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
      this.#pieces += 1;
      if (!this.#isBusy) this.#next();
      else if (this.#rest.length > MOST_BODY_BYTES) this.#socket.pause();
    };

    /** An answer that is the last leaves its lane busy: then the server's end closes the connection. */
    #onTimeout = () => {
      if (!this.#isBusy || this.#isStalled) this.#socket.destroy();
    };

    #onClose = () => {
      clearTimeout(this.#patience);
      lanes.delete(this);
      this.#ending.abort();
    };

    #next() {
      if (this.#rest) this.#rest = afterEmptyLines(this.#rest);
      if (!this.#rest) return;
      const request = requests.read(this.#rest);
      if (request === "other") return this.#leave();
      if (request === "part") {
        if (this.#pieces >= MOST_PIECES) return this.#leave();
        this.#patience ??= setTimeout(() => this.#leave(), PATIENCE_MS);
        return;
      }
      clearTimeout(this.#patience);
      this.#patience = undefined;
      this.#rest = request.end < this.#rest.length ? this.#rest.subarray(request.end) : undefined;
      this.#pieces = this.#rest ? 1 : 0;
      this.#isBusy = true;
      this.#connection.used = true;
      void this.#answer(request);
    }

    async #answer({ headers, body }: WholeRequest) {
      const release = exchanges.hold();
      if (this.#ending.signal.aborted) this.#ending = new AbortController();
      const requestId = randomUUID();
      const origin = { requestId, address: this.#connection.address };
      const call = { headers, origin, ending: this.#ending, body: async () => body };
      let answer: FastAnswer;
      try {
        answer = await route.respond(call);
      } catch (error) {
        log.error({ requestId, err: error }, "a request could not be answered");
        const bytes = Buffer.from(`${JSON.stringify(troubleInside(requestId))}\n`);
        answer = { status: 500, contentType: "application/json", bytes, more: GUARDS };
      }
      if (!this.#socket.writable) return release();
      this.#write(requestId, answer, release);
      if (isWinding) this.#socket.end();
      else if (this.#socket.writableNeedDrain) this.#stall();
      else this.#goOn();
    }

    #write(requestId: string, { status, contentType, bytes, more }: FastAnswer, done: () => void) {
      let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nx-request-id: ${requestId}\r\n`;
      head += `content-type: ${contentType}\r\ncontent-length: ${bytes.length}\r\n`;
      for (const [name, value] of more) head += `${name}: ${value}\r\n`;
      head += `Date: ${dateNow()}\r\n${isWinding ? "connection: close\r\n\r\n" : keptFor}`;
      // In one piece: in two, it would be two packets.
      const text =
        head + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
      this.#socket.write(text, "latin1", done);
    }

    /** Nothing more is read from a client that does not take its answers. */
    #stall() {
      this.#isStalled = true;
      this.#socket.pause();
      this.#socket.setTimeout(limits.stallMs);
      this.#socket.once("drain", () => {
        this.#isStalled = false;
        this.#socket.setTimeout(limits.idleMs + KEPT_LONGER_MS);
        this.#goOn();
      });
    }

    /** Reads on when what was read is answered: else each answer would let more in than it takes away. */
    #goOn() {
      this.#isBusy = false;
      this.#next();
      if (!this.#isBusy && this.#socket.isPaused()) this.#socket.resume();
    }

    #leave() {
      clearTimeout(this.#patience);
      lanes.delete(this);
      const socket = this.#socket;
      socket.off("data", this.#onData).off("timeout", this.#onTimeout).off("close", this.#onClose);
      if (socket.destroyed || socket.readableEnded) return void socket.destroy();
      socket.setTimeout(0);
      socket.pause();
      if (this.#rest) socket.unshift(this.#rest);
      onOther(socket, this.#connection);
      socket.resume();
    }
  }

  return {
    serve: (socket, connection) => void new Lane(socket, connection),
    wind() {
      isWinding = true;
      for (const lane of lanes) lane.wind();
    },
  };
}

/** Some clients end a request with one too many; undefined when nothing else is there. */
function afterEmptyLines(bytes: Buffer): Buffer | undefined {
  let at = 0;
  while (bytes[at] === 13 && bytes[at + 1] === 10) at += 2;
  return at < bytes.length ? bytes.subarray(at) : undefined;
}

let dateText = "";
let dateSecond = 0;

/** The time in the form of HTTP's headers, made once a second. */
function dateNow(): string {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(now).toUTCString();
  }
  return dateText;
}
