import { subscribe } from "node:diagnostics_channel";
import type { ClientHttp2Stream, Http2Session } from "node:http2";

const guarded = new WeakSet<Http2Session>();
let isGuarding = false;

/**
 * Keeps this process from ending when an HTTP/2 session that it opened fails between two calls:
 * what speaks to servers for us leaves such a session without a listener for its `error` event. The
 * calls themselves still fail as they should. Call it once, before the first client; again is harmless.
 */
export function guardHttp2Clients(): void {
  if (isGuarding) return;
  isGuarding = true;
  subscribe("http2.client.stream.created", (message) => {
    const { session } = (message as { stream: ClientHttp2Stream }).stream;
    if (!session || guarded.has(session)) return;
    guarded.add(session);
    session.on("error", () => {});
  });
}
