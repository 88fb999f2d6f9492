import type { Answering, Asking } from "./asking.ts";
import { addChunk, Pieces } from "./pieces.ts";
import type { ServerConnection } from "./server-connection.ts";

/** One call, which may wait for a connection. */
export class Ask implements Asking {
  readonly answering: Answering;
  readonly isWrite: boolean;
  #onAbandon: () => void;
  #connection: ServerConnection | undefined;
  #pieces = new Pieces();
  /** The whole request was added. */
  isComplete = false;

  constructor(answering: Answering, isWrite: boolean, onAbandon: () => void) {
    this.answering = answering;
    this.isWrite = isWrite;
    this.#onAbandon = onAbandon;
  }

  take(connection: ServerConnection): void {
    this.#connection = connection;
    connection.begin(this);
  }

  add(piece: string | Uint8Array): void {
    this.#pieces.add(piece);
  }

  addChunk(bytes: Uint8Array): void {
    addChunk(this.#pieces, bytes);
  }

  flush(): boolean {
    return this.#connection !== undefined && this.#pieces.flush(this.#connection.socket);
  }

  end(): void {
    this.isComplete = true;
  }

  pause(): void {
    this.#connection?.socket.pause();
  }

  resume(): void {
    this.#connection?.socket.resume();
  }

  abandon(): void {
    this.#onAbandon();
    this.#connection?.close();
  }

  /** The connection is another call's from now on. */
  leave(): void {
    this.#connection = undefined;
  }
}
