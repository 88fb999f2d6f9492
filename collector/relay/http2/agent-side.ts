import http2, { constants } from "node:http2";
import type { Duplex } from "node:stream";
import type { Connection } from "../../../lib/http/connections.ts";
import { makeHttp2Server } from "../../../lib/http/http2-server.ts";
import { makeSessions } from "../../../lib/http/sessions.ts";
import type { Log } from "../../../lib/log.ts";
import type { AgentSideParts } from "../agent-side-parts.ts";
import { type CallTimes, overdue } from "../call-times.ts";
import { eachPassedOn, find, HOP_HEADER, type RawHeaders } from "../headers.ts";
import { answerTo, HEADERS_TOO_LARGE, type Refusal, unreachable } from "../refusal.ts";
import { wordsFor } from "../upstream.ts";
import { AS_IT_CAME, type Http2Asking, type Http2ServerSide } from "./server-side.ts";

/** Agents that speak HTTP/2. */
export interface Http2AgentSide {
  serve(socket: Duplex, connection: Connection, isEncrypted: boolean): void;
  sweep(): void;
  /** Tells agents to make no new calls on the connections that they have. */
  wind(): void;
}

interface Whence {
  connection: Connection;
  isEncrypted: boolean;
}

export function makeHttp2AgentSide(
  parts: AgentSideParts & { server: Http2ServerSide; log: Log },
): Http2AgentSide {
  const { limits, clock } = parts;
  const sessions = makeSessions(limits, clock);
  const listener = makeHttp2Server(limits, parts.log, AS_IT_CAME);
  const calls = new Set<Http2Call>();
  const whenceOf = new WeakMap<http2.Http2Session, Whence>();

  /** Whose session is being made, at once and in the same breath. */
  let arriving: Whence | undefined;
  listener.on("session", (session) => {
    if (!arriving) {
      session.destroy();
      return;
    }
    whenceOf.set(session, arriving);
    sessions.watch(session, arriving.connection);
  });
  listener.on("stream", (stream, _headers, flags, rawHeaders) => {
    stream.on("error", () => {});
    const whence = stream.session && whenceOf.get(stream.session);
    if (!whence) {
      stream.destroy();
      return;
    }
    const hasBody = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0;
    try {
      const call = receive(parts, stream, rawHeaders, hasBody, whence);
      if (!call) return;
      calls.add(call);
      stream.once("close", () => calls.delete(call));
    } catch (error) {
      // Such as headers that may not be repeated, and are.
      parts.log.debug({ err: error }, "a call could not be passed on");
      stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    }
  });

  return {
    serve(socket, connection, isEncrypted) {
      arriving = { connection, isEncrypted };
      listener.emit("connection", socket);
      arriving = undefined;
    },
    sweep() {
      sessions.sweep();
      const now = clock.monotonic();
      for (const call of calls) call.sweep(now);
    },
    wind: () => sessions.close(),
  };
}

/** Node would add a date of its own. */
const NO_DATE = { sendDate: false };

const sizeOf = (headers: RawHeaders) => headers.reduce((size, text) => size + text.length + 2, 0);

/** Begins to pass a call on, or answers it. */
function receive(
  parts: Parameters<typeof makeHttp2AgentSide>[0],
  stream: http2.ServerHttp2Stream,
  headers: RawHeaders,
  hasBody: boolean,
  { connection, isEncrypted }: Whence,
): Http2Call | undefined {
  connection.used = true;
  const contentType = find(headers, "content-type") ?? "";
  const refuse = (refusal: Refusal) => {
    parts.tally.refused += 1;
    refuseStream(stream, refusal, contentType);
    return undefined;
  };
  if (sizeOf(headers) > parts.limits.headerBytes) return refuse(HEADERS_TOO_LARGE);
  const method = find(headers, ":method") ?? "";
  const target = find(headers, ":path") ?? "";
  const { upstream } = parts.server;
  const outage = upstream.outage();
  const admission = parts.desk.admit({ method, target, connection, isEncrypted, outage });
  if (admission.refusal) return refuse(admission.refusal);
  // Whatever comes of it, the place is free again when the stream is over.
  stream.once("close", admission.leave);

  const passedOn: RawHeaders = [
    ...[":method", method, ":scheme", upstream.tls ? "https" : "http"],
    ...[":authority", upstream.authority, ":path", target],
  ];
  eachPassedOn(headers, (name, value) => passedOn.push(name, value));
  if (find(headers, "te")?.toLowerCase() === "trailers") passedOn.push("te", "trailers");
  passedOn.push(HOP_HEADER, `Bearer ${admission.credential}`);
  // Kept out of the compression that all agents' calls share.
  const sensitive = Object.assign(passedOn, { [http2.sensitiveHeaders]: ["authorization"] });
  return new Http2Call(parts, stream, parts.server.ask(sensitive, hasBody), contentType, hasBody);
}

class Http2Call implements CallTimes {
  #parts: AgentSideParts;
  #agent: http2.ServerHttp2Stream;
  #asking: Http2Asking;
  #contentType: string;
  #bodyBytes = 0;
  readonly since: number;
  askedAt: number | undefined;
  isAnswered = false;
  movedAt: number;

  constructor(
    parts: AgentSideParts,
    agent: http2.ServerHttp2Stream,
    asking: Http2Asking,
    contentType: string,
    hasBody: boolean,
  ) {
    this.#parts = parts;
    this.#agent = agent;
    this.#asking = asking;
    this.#contentType = contentType;
    this.since = parts.clock.monotonic();
    this.movedAt = this.since;
    if (hasBody) this.#passRequest();
    else this.askedAt = this.since;
    this.#passAnswer();
    agent.on("close", () => this.#giveUp());
  }

  #passRequest(): void {
    const { clock, limits } = this.#parts;
    const { stream } = this.#asking;
    this.#agent.on("data", (bytes: Buffer) => {
      this.#bodyBytes += bytes.length;
      if (this.#bodyBytes > limits.bodyBytes || stream.destroyed) return;
      if (stream.write(bytes)) return;
      this.#agent.pause();
      stream.once("drain", () => this.#agent.resume());
    });
    this.#agent.on("end", () => {
      // A request that was given up halfway ends as well: it must not look whole to the server.
      if (this.#agent.aborted || this.#agent.closed || this.#agent.destroyed) return;
      this.askedAt = clock.monotonic();
      if (this.#bodyBytes <= limits.bodyBytes) stream.end();
    });
  }

  #passAnswer(): void {
    const agent = this.#agent;
    const { stream, isLost } = this.#asking;
    let trailers: http2.OutgoingHttpHeaders = {};
    stream.on("error", () => {}); // told by "close"
    stream.on("continue", () => {
      if (!agent.headersSent && !agent.destroyed) agent.additionalHeaders({ ":status": 100 });
    });
    stream.on("response", (_headers, flags, rawHeaders: RawHeaders) => {
      if (agent.destroyed || agent.headersSent) return;
      this.#parts.tally.relayed += 1;
      this.isAnswered = true;
      const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      const headers: RawHeaders = [":status", find(rawHeaders, ":status") ?? "502"];
      eachPassedOn(rawHeaders, (name, value) => headers.push(name, value));
      const manner = { endStream, waitForTrailers: !endStream, ...NO_DATE };
      agent.respond(headers, manner);
    });
    stream.on("trailers", (_headers, _flags, rawHeaders: RawHeaders) => {
      trailers = listed(rawHeaders);
    });
    agent.on("wantTrailers", () => agent.sendTrailers(trailers));
    stream.on("data", (bytes: Buffer) => {
      this.movedAt = this.#parts.clock.monotonic();
      if (agent.destroyed || agent.write(bytes)) return;
      stream.pause();
      agent.once("drain", () => {
        this.movedAt = this.#parts.clock.monotonic();
        stream.resume();
      });
    });
    stream.on("end", () => {
      // So does an answer that breaks off.
      const isWhole = stream.rstCode === constants.NGHTTP2_NO_ERROR && !isLost();
      if (this.isAnswered && isWhole) agent.end();
    });
    stream.on("close", () => this.#onClose());
  }

  /** The server's side is over: as it should be, by a reset that is passed on, or with its session. */
  #onClose(): void {
    const agent = this.#agent;
    if (agent.destroyed || agent.closed) return;
    const { stream, isLost, problem } = this.#asking;
    if (this.isAnswered) {
      if (isLost()) agent.close(constants.NGHTTP2_INTERNAL_ERROR);
      else if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) agent.close(stream.rstCode);
      // The server has said all there is to say, before it had read all of the request.
      else if (this.askedAt === undefined) agent.once("finish", () => agent.close());
      return;
    }
    if (isLost()) setImmediate(() => this.#refuse(wordsFor(problem())));
    else if (stream.rstCode === RESTARTING) this.#refuse("it is restarting");
    else agent.close(stream.rstCode || constants.NGHTTP2_INTERNAL_ERROR);
  }

  #refuse(why: string): void {
    if (this.#agent.destroyed || this.#agent.headersSent) return;
    this.#parts.tally.refused += 1;
    refuseStream(this.#agent, unreachable(why), this.#contentType);
  }

  sweep(now: number): void {
    const { limits } = this.#parts;
    const late = overdue(this, limits, now);
    if (late === undefined) return;
    if (late === "answer") this.#refuse(`it has not answered for ${limits.answerMs / 1000} s`);
    else this.#agent.close(constants.NGHTTP2_CANCEL);
    this.#giveUp();
  }

  /** To close a request that is not whole would end it first, and make it look whole. */
  #giveUp(): void {
    const { stream } = this.#asking;
    if (stream.closed || stream.destroyed) return;
    if (stream.writableEnded) stream.close(constants.NGHTTP2_CANCEL);
    else stream.destroy(new Error("given up"));
  }
}

/** By this reset a server that goes away says that it has not looked at the request. */
const RESTARTING = constants.NGHTTP2_REFUSED_STREAM;

function refuseStream(
  stream: http2.ServerHttp2Stream,
  refusal: Refusal,
  contentType: string,
): void {
  if (stream.destroyed || stream.headersSent) return;
  const { status, headers, body } = answerTo(refusal, contentType);
  const endStream = body.length === 0;
  stream.respond([":status", String(status), ...headers], { endStream, ...NO_DATE });
  if (!endStream) stream.end(body);
  // What is left of the request is of no interest.
  stream.once("finish", () => stream.close());
  stream.resume();
}

/** For what takes an object: repeated names become lists. */
function listed(headers: RawHeaders): http2.OutgoingHttpHeaders {
  const lists: Record<string, string[]> = {};
  eachPassedOn(headers, (name, value) => {
    lists[name] ??= [];
    lists[name].push(value);
  });
  return lists;
}
