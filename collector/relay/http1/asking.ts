import type { RawHeaders } from "../headers.ts";
import type { Head } from "./parser.ts";

/** How the length of an answer's body is told. */
export type Framing = "none" | "length" | "chunks";

/** Told what the server answers to one call. */
export interface Answering {
  /** The server would like the body that was announced. */
  onContinue(): void;
  onAnswer(head: Head, framing: Framing): void;
  onAnswerBody(bytes: Buffer): void;
  /** All that came at once was told. */
  onFlush(): void;
  onAnswerEnd(trailers: RawHeaders): void;
  /** More of the request can be taken. */
  onDrain(): void;
  /** There will be no answer, or no more of it. */
  onFail(error: Error): void;
}

/** One request on its way to the server. */
export interface Asking {
  /** To be followed by flush(), once for all that there is. */
  add(piece: string | Uint8Array): void;
  addChunk(bytes: Uint8Array): void;
  /** False when the server's side would rather not be given more until onDrain. */
  flush(): boolean;
  /** The whole request was added. */
  end(): void;
  pause(): void;
  resume(): void;
  /** Ends the connection, the only way in which HTTP/1 gives up a call. Nothing more is told. */
  abandon(): void;
}
