import type { Duplex } from "node:stream";

/** More than this is not worth copying. */
const COPIED_BYTES = 16 << 10;

/** What is to be written at once: a head and what there is of its body make one packet. */
export class Pieces {
  #pieces: (string | Uint8Array)[] = [];
  #bytes = 0;

  /** Text stands for bytes, one a character. */
  add(piece: string | Uint8Array): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** Writes all; false when the socket would rather not be given more for now. */
  flush(socket: Duplex): boolean {
    const pieces = this.#pieces;
    if (pieces.length === 0) return true;
    this.#pieces = [];
    const bytes = this.#bytes;
    this.#bytes = 0;
    if (bytes > COPIED_BYTES) {
      socket.cork();
      let isReady = true;
      for (const piece of pieces) isReady = socket.write(piece, "latin1");
      socket.uncork();
      return isReady;
    }
    const whole = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const piece of pieces) {
      if (typeof piece === "string") at += whole.write(piece, at, "latin1");
      else {
        whole.set(piece, at);
        at += piece.length;
      }
    }
    return socket.write(whole);
  }
}

/** One chunk of a body that tells no length beforehand. */
export function addChunk(pieces: Pieces, bytes: Uint8Array): void {
  pieces.add(`${bytes.length.toString(16)}\r\n`);
  pieces.add(bytes);
  pieces.add("\r\n");
}
