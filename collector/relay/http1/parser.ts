import type { RawHeaders } from "../headers.ts";

/** The start of a message, as it was written. */
export interface Head {
  /** Of a request. */
  method: string;
  target: string;
  /** Of an answer. */
  status: number;
  reason: string;
  headers: RawHeaders;
  version: "1.0" | "1.1" | "other";
  /** Whether another message may follow on the connection. */
  keepsAlive: boolean;
}

/** Told what is read, in order. None of them may throw. */
export interface Reader {
  /** The first byte of a message has come. */
  onBegin(): void;
  onHead(head: Head): void;
  /** A view of the bytes that were handed in. */
  onBody(bytes: Buffer): void;
  onEnd(trailers: RawHeaders): void;
}

/** Why bytes are no message; `code` is the parser's own, such as "HPE_INVALID_METHOD". */
export type ParseError = Error & { code?: string };

/**
 * Node's own parser of HTTP/1, the one under node:http, at its strictest: on the way through a
 * collector, node:http itself costs as much as all the rest. Node does not document this door; it is
 * opened in this file only, and tested.
 */
export interface Parser {
  /** Reads bytes; tells why it cannot, or how many it took: fewer when the protocol is to change. */
  read(bytes: Buffer): number | ParseError;
  /** Frees its memory; never from within a Reader. */
  close(): void;
}

interface NodeParser {
  initialize(kind: number, resource: object, mostHeaderBytes: number, lenient: number): void;
  execute(bytes: Buffer): number | ParseError;
  close(): void;
  [callback: number]: unknown;
}

interface NodeHttp {
  methods: readonly string[];
  HTTPParser: {
    new (): NodeParser;
    readonly REQUEST: number;
    readonly RESPONSE: number;
    readonly kLenientNone: number;
    readonly kOnMessageBegin: number;
    readonly kOnHeaders: number;
    readonly kOnHeadersComplete: number;
    readonly kOnBody: number;
    readonly kOnMessageComplete: number;
  };
}

const { HTTPParser, methods } = process.getBuiltinModule(
  "node:_http_common",
) as unknown as NodeHttp;

/** Reads requests or answers, one after the other, with headers and path of so many bytes at most. */
export function makeParser(
  kind: "request" | "answer",
  mostHeaderBytes: number,
  reader: Reader,
): Parser {
  /** Headers that came in several parts, for there were many; after the head, trailers. */
  let gathered: RawHeaders = [];
  let target = "";
  let parser: NodeParser | undefined = new HTTPParser();
  parser.initialize(
    kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE,
    {},
    mostHeaderBytes,
    HTTPParser.kLenientNone,
  );
  parser[HTTPParser.kOnMessageBegin] = () => {
    gathered = [];
    target = "";
    reader.onBegin();
  };
  parser[HTTPParser.kOnHeaders] = (headers: RawHeaders, url: string) => {
    gathered.push(...headers);
    target += url;
  };
  parser[HTTPParser.kOnHeadersComplete] = (
    major: number,
    minor: number,
    headers: RawHeaders | undefined,
    method: number | undefined,
    url: string | undefined,
    status: number | undefined,
    reason: string | undefined,
    _upgrades: boolean,
    keepsAlive: boolean,
  ): number => {
    const all = headers ?? gathered;
    gathered = [];
    reader.onHead({
      method: method === undefined ? "" : (methods[method] ?? ""),
      target: url ?? target,
      status: status ?? 0,
      reason: reason ?? "",
      headers: all,
      version: major === 1 ? (minor === 1 ? "1.1" : "1.0") : "other",
      keepsAlive,
    });
    return 0;
  };
  parser[HTTPParser.kOnBody] = (bytes: Buffer) => reader.onBody(bytes);
  parser[HTTPParser.kOnMessageComplete] = () => reader.onEnd(gathered);

  return {
    read: (bytes) => (parser ? parser.execute(bytes) : bytes.length),
    close() {
      parser?.close();
      parser = undefined;
    },
  };
}
