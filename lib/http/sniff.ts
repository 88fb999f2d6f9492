import type net from "node:net";

export type Spoken = "tls" | "http2" | "other";

/** What every HTTP/2 client says first; no HTTP/1 method starts with these letters. */
const PREFACE = Buffer.from("PRI ");
const TLS_HANDSHAKE = 22;

/** What the first bytes of a connection are the start of; undefined when there are too few to say. */
export function recognise(bytes: Uint8Array): Spoken | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === TLS_HANDSHAKE) return "tls";
  const common = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.compare(bytes, 0, common, 0, common) !== 0) return "other";
  return common === PREFACE.length ? "http2" : undefined;
}

/**
 * Calls back once with what a new connection speaks, having put back all that was read. Not at all
 * when it ends before that is clear. Who calls sees to the time it may take.
 */
export function sniff(socket: net.Socket, then: (spoken: Spoken) => void): void {
  let seen = Buffer.alloc(0);
  const look = () => {
    const bytes: Buffer | null = socket.read();
    if (bytes === null) return;
    seen = Buffer.concat([seen, bytes]);
    const spoken = recognise(seen);
    if (spoken === undefined) return;
    socket.off("readable", look);
    socket.unshift(seen);
    then(spoken);
  };
  socket.on("readable", look);
}
