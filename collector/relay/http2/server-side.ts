import http2 from "node:http2";
import tls from "node:tls";
import type { Clock } from "../../../lib/clock.ts";
import type { RawHeaders } from "../headers.ts";
import type { RelayLimits } from "../limits.ts";
import type { Upstream } from "../upstream.ts";

/** Headers that should not be repeated, and are, are not this collector's to judge. */
export const AS_IT_CAME = { strictSingleValueFields: false };
/** How long a session that has something to answer may be silent before it is asked whether it lives. */
const SILENCE_MS = 5_000;
/** For the answer to that. */
const PING_MS = 5_000;
/** Calls at one time on one session, where the server allows as many. */
const MOST_STREAMS = 100;

/** One call on its way to the server. */
export interface Http2Asking {
  stream: http2.ClientHttp2Stream;
  /** Whether the session of the stream is over, and the stream with it. */
  isLost(): boolean;
  /** Why it is, a moment later. */
  problem(): Error;
}

/** Sessions of HTTP/2 to the server, shared by all calls; as few as will do. */
export interface Http2ServerSide {
  readonly upstream: Upstream;
  ask(headers: RawHeaders, hasBody: boolean): Http2Asking;
  sweep(): void;
  close(): void;
}

interface Session {
  http2: http2.ClientHttp2Session;
  streams: number;
  /** No further calls: the server said so, or it is over. */
  isClosing: boolean;
  problem: Error | undefined;
  isReached: boolean;
  openedAt: number;
  /** When a call last began or ended. */
  usedAt: number;
  /** When the server last gave a sign of life. */
  heardAt: number;
  pingedAt: number | undefined;
}

export function makeHttp2ServerSide(options: {
  upstream: Upstream;
  limits: RelayLimits;
  clock: Clock;
}): Http2ServerSide {
  const { upstream, limits, clock } = options;
  const sessions = new Set<Session>();

  const open = (): Session => {
    const scheme = upstream.tls ? "https" : "http";
    const now = clock.monotonic();
    const tunnel = upstream.tunnel();
    const session: Session = {
      http2: http2.connect(`${scheme}://${upstream.authority}`, {
        ...upstream.tls,
        ...AS_IT_CAME,
        ...(tunnel && {
          createConnection: () =>
            tls.connect({ ...upstream.tls, socket: tunnel, ALPNProtocols: ["h2"] }),
        }),
        settings: { enablePush: false, maxHeaderListSize: limits.headerBytes * 2 },
      }),
      streams: 0,
      isClosing: false,
      problem: undefined,
      isReached: false,
      openedAt: now,
      usedAt: now,
      heardAt: now,
      pingedAt: undefined,
    };
    sessions.add(session);
    session.http2.once("connect", () => {
      session.isReached = true;
      upstream.reached();
    });
    session.http2.on("error", (error) => {
      session.problem ??= error;
    });
    session.http2.on("goaway", () => {
      session.isClosing = true;
    });
    session.http2.once("close", () => {
      session.isClosing = true;
      session.problem ??= new Error("the connection broke");
      sessions.delete(session);
      if (!session.isReached && session.streams > 0) upstream.missed(session.problem);
    });
    return session;
  };

  const hasRoom = ({ http2: { remoteSettings, closed }, isClosing, streams }: Session) =>
    !closed &&
    !isClosing &&
    streams < Math.min(MOST_STREAMS, remoteSettings.maxConcurrentStreams ?? MOST_STREAMS);

  const end = (session: Session, problem: Error) => {
    session.problem ??= problem;
    session.isClosing = true;
    session.http2.destroy();
  };

  const look = (session: Session, now: number) => {
    const { isReached, pingedAt } = session;
    if (!isReached) {
      const silence = Object.assign(new Error("it does not answer"), { code: "ETIMEDOUT" });
      if (now - session.openedAt > limits.connectMs) end(session, silence);
    } else if (pingedAt !== undefined) {
      if (now - pingedAt > PING_MS) end(session, new Error("the connection went silent"));
    } else if (session.streams === 0) {
      if (now - session.usedAt > limits.upstreamIdleMs) session.http2.close();
    } else if (now - Math.max(session.heardAt, session.usedAt) > SILENCE_MS) {
      session.pingedAt = now;
      session.http2.ping((error) => {
        if (error) return;
        session.pingedAt = undefined;
        session.heardAt = clock.monotonic();
      });
    }
  };

  return {
    upstream,
    ask(headers, hasBody) {
      const session = [...sessions].find(hasRoom) ?? open();
      const stream = session.http2.request(headers, { endStream: !hasBody });
      session.streams += 1;
      session.usedAt = clock.monotonic();
      stream.once("response", () => {
        session.heardAt = clock.monotonic();
      });
      stream.once("close", () => {
        session.streams -= 1;
        session.usedAt = clock.monotonic();
      });
      return {
        stream,
        isLost: () => session.http2.destroyed,
        problem: () => session.problem ?? new Error("the connection broke"),
      };
    },
    sweep() {
      const now = clock.monotonic();
      for (const session of sessions) look(session, now);
    },
    close() {
      for (const session of sessions) end(session, new Error("this collector stops"));
    },
  };
}
