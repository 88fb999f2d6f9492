import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { Code } from "@connectrpc/connect";
import type { Connection } from "../../../lib/http/connections.ts";
import { NO_TUNNEL, refusalFor, refuse } from "../../../lib/http/refuse.ts";
import type { AgentSideParts } from "../agent-side-parts.ts";
import { type CallTimes, overdue } from "../call-times.ts";
import { find, HOP_HEADER, type RawHeaders } from "../headers.ts";
import { answerTo, type Refusal, unreachable } from "../refusal.ts";
import { wordsFor } from "../upstream.ts";
import type { Answering, Asking, Framing } from "./asking.ts";
import { CHUNKED, writeHead } from "./head.ts";
import type { Head, Parser, Parsers, Reader } from "./parser.ts";
import { addChunk, Pieces } from "./pieces.ts";
import type { Http1ServerSide } from "./server-side.ts";

export type Http1AgentParts = AgentSideParts & { server: Http1ServerSide; parsers: Parsers };

/** One call from its head to the end of its answer. */
interface Call extends CallTimes {
  asking: Asking;
  leave(): void;
  /** The request's body is sent on as chunks. */
  isChunked: boolean;
  /** The answer's body goes out as chunks. */
  answersInChunks: boolean;
  expectsContinue: boolean;
  isHttp10: boolean;
  contentType: string;
  bodyBytes: number;
}

/**
 * A connection of an agent's, with one call at a time: told what is read of its requests, and what the
 * server answers. There are a thousand of them, most of them silent, so each holds as little as it can.
 */
export class AgentConnection implements Reader, Answering {
  #parts: Http1AgentParts;
  #socket: Duplex;
  #connection: Connection;
  #isEncrypted: boolean;
  /** While a request is being read. */
  #parser: Parser | undefined;
  #pieces = new Pieces();
  #call: Call | undefined;
  /** What the request that is being read is answered with by the collector itself, once that is clear. */
  #refusal: { refusal: Refusal; contentType: string } | undefined;
  /** No request follows the one being answered. */
  #isLast = false;
  /** What still comes is of no interest. */
  #isDeaf = false;
  /** The last answer was written, or will never be. */
  #isOver = false;
  /** A request is being read, and since when. */
  #readingSince: number | undefined;
  /** What came while the request before it was being answered. */
  #early: Buffer | undefined;
  #idleSince: number;

  constructor(
    parts: Http1AgentParts,
    socket: Duplex,
    connection: Connection,
    isEncrypted: boolean,
  ) {
    this.#parts = parts;
    this.#socket = socket;
    this.#connection = connection;
    this.#isEncrypted = isEncrypted;
    this.#idleSince = parts.clock.monotonic();
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => this.#onData(bytes));
    socket.on("drain", () => this.#call?.asking.resume());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      this.#isOver = true;
      this.#giveUp();
      // Perhaps from within the parser.
      setImmediate(() => this.#putParserAway());
    });
  }

  #putParserAway(): void {
    if (this.#parser) this.#parts.parsers.giveBack(this.#parser);
    this.#parser = undefined;
  }

  #onData(bytes: Buffer): void {
    if (this.#isDeaf || this.#isOver) return;
    if (this.#call?.askedAt !== undefined) {
      // One request after the other; this one waits for its turn, and its sender with it.
      this.#early = bytes;
      this.#socket.pause();
      return;
    }
    this.#read(bytes);
  }

  #read(bytes: Buffer): void {
    this.#parser ??= this.#parts.parsers.take(this);
    const read = this.#parser.read(bytes);
    if (this.#isOver) return;
    if (this.#readingSince === undefined) this.#putParserAway();
    const call = this.#call;
    if (read instanceof Error) {
      if (call?.askedAt === undefined) {
        this.#misread(read);
        return;
      }
      this.#ignoreTheRest();
    } else if (read < bytes.length) {
      this.#ignoreTheRest(); // a change of protocol was asked for, and does not happen
    }
    if (call && !call.asking.flush() && call.askedAt === undefined) this.#socket.pause();
    if (this.#refusal) this.#answerRefusal();
  }

  /** The answer to the request at hand is the last; whatever else was sent can be sent again. */
  #ignoreTheRest(): void {
    this.#isLast = true;
    this.#isDeaf = true;
    if (!this.#call && !this.#refusal) this.#end();
  }

  #misread(error: Error): void {
    if (this.#call?.isAnswered) {
      this.#socket.destroy();
      return;
    }
    this.#giveUp();
    this.#refuse(refusalFor(error));
  }

  /** Answers what is no proper request, and closes the connection. */
  #refuse(refusal: Parameters<typeof refuse>[1]): void {
    this.#isOver = true;
    this.#connection.used = true;
    this.#parts.tally.refused += 1;
    refuse(this.#socket, refusal, this.#parts.limits.lingerMs);
  }

  onBegin(): void {
    this.#readingSince ??= this.#parts.clock.monotonic();
  }

  onHead(head: Head): void {
    // A second request in one packet was sent without waiting for the first one's answer.
    if (this.#call) {
      this.#ignoreTheRest();
      return;
    }
    this.#connection.used = true;
    const { headers, method } = head;
    const contentType = find(headers, "content-type") ?? "";
    if (!head.keepsAlive || head.version !== "1.1") this.#isLast = true;
    const encoding = find(headers, "transfer-encoding");
    if (head.version === "other" || (encoding ?? "chunked").toLowerCase() !== "chunked") {
      this.#refusal = { refusal: MALFORMED, contentType };
      this.#isLast = true;
      return;
    }
    if (method === "CONNECT") {
      this.#refusal = { refusal: { kind: "request", ...NO_TUNNEL }, contentType };
      this.#isLast = true;
      return;
    }
    // A proxy's form of the target means the same.
    const target = head.target.replace(/^https?:\/\/[^/?#]*/i, "");
    const { desk, clock, server } = this.#parts;
    const admission = desk.admit({
      method,
      target,
      connection: this.#connection,
      isEncrypted: this.#isEncrypted,
      outage: server.upstream.outage(),
    });
    if (admission.refusal) {
      this.#refusal = { refusal: admission.refusal, contentType };
      return;
    }
    const now = clock.monotonic();
    const call: Call = {
      asking: server.ask(this, target, contentType),
      leave: admission.leave,
      isChunked: encoding !== undefined,
      answersInChunks: false,
      expectsContinue: find(headers, "expect")?.toLowerCase() === "100-continue",
      isHttp10: head.version === "1.0",
      contentType,
      bodyBytes: 0,
      since: now,
      askedAt: undefined,
      isAnswered: false,
      movedAt: now,
    };
    this.#call = call;
    const hop = `${HOP_HEADER}: Bearer ${admission.credential}\r\n`;
    const host = `Host: ${server.upstream.authority}\r\n`;
    const start = `${method} ${target} HTTP/1.1\r\n${host}`;
    call.asking.add(writeHead(start, headers, call.isChunked ? hop + CHUNKED : hop));
  }

  onBody(bytes: Buffer): void {
    const call = this.#call;
    if (!call || call.askedAt !== undefined) return;
    call.bodyBytes += bytes.length;
    if (call.bodyBytes > this.#parts.limits.bodyBytes) return;
    if (call.isChunked) call.asking.addChunk(bytes);
    else call.asking.add(bytes);
  }

  onEnd(): void {
    this.#readingSince = undefined;
    const call = this.#call;
    if (this.#refusal) this.#answerRefusal();
    if (!call || call.askedAt !== undefined) return;
    call.askedAt = this.#parts.clock.monotonic();
    if (call.bodyBytes > this.#parts.limits.bodyBytes) return;
    if (call.isChunked) call.asking.add("0\r\n\r\n");
    call.asking.end();
  }

  /** Says the collector's own word; the connection goes on if the request is whole. */
  #answerRefusal(): void {
    const { refusal, contentType } = this.#refusal ?? {};
    this.#refusal = undefined;
    if (!refusal) return;
    this.#parts.tally.refused += 1;
    if (this.#readingSince !== undefined) this.#isLast = true;
    const answer = answerTo(refusal, contentType ?? "");
    this.#addHead(answer.status, STATUS_CODES[answer.status] ?? "", answer.headers);
    this.#pieces.add(answer.body);
    this.#pieces.flush(this.#socket);
    this.#turn();
  }

  #addHead(status: number, reason: string, headers: RawHeaders, more = ""): void {
    const last = this.#isLast ? "Connection: close\r\n" : "";
    this.#pieces.add(writeHead(`HTTP/1.1 ${status} ${reason}\r\n`, headers, last + more));
  }

  onContinue(): void {
    const call = this.#call;
    if (!call?.expectsContinue || call.isAnswered || call.askedAt !== undefined) return;
    call.expectsContinue = false;
    this.#socket.write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  onAnswer(head: Head, framing: Framing): void {
    const call = this.#call;
    if (!call) return;
    this.#parts.tally.relayed += 1;
    call.isAnswered = true;
    // The rest of the request is of no interest to the server, and what follows it cannot be told apart.
    if (call.askedAt === undefined || call.bodyBytes > this.#parts.limits.bodyBytes) {
      this.#isLast = true;
      this.#socket.resume();
    }
    call.answersInChunks = framing === "chunks" && !call.isHttp10;
    this.#addHead(head.status, head.reason, head.headers, call.answersInChunks ? CHUNKED : "");
  }

  onAnswerBody(bytes: Buffer): void {
    if (this.#call?.answersInChunks) addChunk(this.#pieces, bytes);
    else this.#pieces.add(bytes);
  }

  onFlush(): void {
    const call = this.#call;
    if (!call) return;
    call.movedAt = this.#parts.clock.monotonic();
    if (!this.#pieces.flush(this.#socket)) call.asking.pause();
  }

  onDrain(): void {
    if (this.#early === undefined) this.#socket.resume();
  }

  onAnswerEnd(trailers: RawHeaders): void {
    const call = this.#call;
    if (!call) return;
    if (call.answersInChunks) {
      this.#pieces.add(writeHead("0\r\n", trailers));
      this.#pieces.flush(this.#socket);
    }
    this.#call = undefined;
    call.leave();
    this.#turn();
  }

  onFail(error: Error): void {
    const call = this.#call;
    if (!call) return;
    this.#call = undefined;
    call.leave();
    if (call.isAnswered) {
      this.#socket.destroy(); // a half answer must not look like a whole one
      return;
    }
    this.#refusal = { refusal: unreachable(wordsFor(error)), contentType: call.contentType };
    this.#answerRefusal();
  }

  /** After an answer: the next request, or the end. */
  #turn(): void {
    this.#idleSince = this.#parts.clock.monotonic();
    if (this.#isLast || this.#isOver) {
      this.#end();
      return;
    }
    const early = this.#early;
    this.#early = undefined;
    if (early) this.#read(early);
    if (this.#early === undefined && !this.#isOver) this.#socket.resume();
  }

  /** Ends the connection so that what was written arrives: closed on unread bytes, it might not. */
  #end(): void {
    this.#isOver = true;
    this.#socket.end();
    this.#socket.resume();
    const timer = setTimeout(() => this.#socket.destroy(), this.#parts.limits.lingerMs);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  #giveUp(): void {
    const call = this.#call;
    this.#call = undefined;
    call?.asking.abandon();
    call?.leave();
  }

  sweep(now: number): void {
    if (this.#isOver && !this.#call) return;
    const { limits } = this.#parts;
    if (this.#call) {
      const late = overdue(this.#call, limits, now);
      if (late === "answer") {
        this.#call.asking.abandon();
        this.onFail(new Error(`it has not answered for ${limits.answerMs / 1000} s`));
      } else if (late) this.#socket.destroy();
    } else if (this.#readingSince !== undefined) {
      if (now - this.#readingSince > limits.headersMs) this.#refuse(refusalFor(TOO_SLOW));
    } else if (now - this.#idleSince > limits.idleMs) this.#socket.destroy();
  }

  wind(): void {
    this.#isLast = true;
    if (!this.#call && this.#readingSince === undefined && !this.#isOver) this.#socket.end();
  }
}

const TOO_SLOW = Object.assign(new Error("too slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });

const MALFORMED: Refusal = {
  kind: "request",
  status: 400,
  code: Code.InvalidArgument,
  message: 'a request is of HTTP/1.1, and its body is sent with a length or as "chunked" alone',
};
