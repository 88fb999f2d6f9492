import { constants, type ServerHttp2Session } from "node:http2";
import type { Clock } from "../clock.ts";
import type { Connection } from "./connections.ts";
import type { Limits } from "./limits.ts";

interface Watched {
  session: ServerHttp2Session;
  connection: Connection;
  streams: number;
  /** Something whole has come since the last look. */
  stirred: boolean;
  bytes: number;
  activeAt: number;
  /** Since when bytes have come that amounted to nothing. */
  dribblesSince: number | undefined;
}

/**
 * Closes HTTP/2 sessions that are idle for too long, and those that send the headers of a request
 * drop by drop: Node tells nothing of headers before they are whole, but the bytes can be counted.
 */
export interface Sessions {
  watch(session: ServerHttp2Session, connection: Connection): void;
  sweep(): void;
  /** Tells every client to make no new requests here; those under way go on. */
  close(): void;
}

export function makeSessions(limits: Limits, clock: Clock): Sessions {
  const open = new Set<Watched>();

  const look = (watched: Watched, now: number) => {
    const { session, connection } = watched;
    const bytes = connection.socket.bytesRead;
    const more = bytes !== watched.bytes;
    const busy = watched.streams > 0 || watched.stirred;
    watched.bytes = bytes;
    watched.stirred = false;
    if (busy) watched.dribblesSince = undefined;
    else if (more) watched.dribblesSince ??= now;
    if (busy || more) watched.activeAt = now;

    if (more && now - (watched.dribblesSince ?? now) >= limits.headersMs) {
      session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (now - watched.activeAt >= limits.idleMs) {
      // Said politely once; whoever keeps the connection open is cut off at the next look.
      if (session.closed) session.destroy();
      else session.close();
    }
  };

  return {
    watch(session, connection) {
      const watched: Watched = {
        session,
        connection,
        streams: 0,
        stirred: true,
        bytes: 0,
        activeAt: clock.monotonic(),
        dribblesSince: undefined,
      };
      const stir = () => {
        watched.stirred = true;
      };
      session.on("error", () => {});
      session.on("ping", stir);
      session.on("remoteSettings", stir);
      session.on("stream", (stream) => {
        watched.streams += 1;
        stream.once("close", () => {
          watched.streams -= 1;
          watched.stirred = true;
        });
      });
      session.once("close", () => open.delete(watched));
      open.add(watched);
    },
    sweep() {
      const now = clock.monotonic();
      for (const watched of open) look(watched, now);
    },
    close() {
      for (const { session } of open) session.close();
    },
  };
}
