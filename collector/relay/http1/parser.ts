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

type Kind = "request" | "answer";

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
export function makeParser(kind: Kind, mostHeaderBytes: number, reader: Reader): Parser {
  const parser = new Parser(kind, mostHeaderBytes);
  parser.begin(reader);
  return parser;
}

/** Parsers that wait for a connection to be read; more than this are not worth keeping. */
const MOST_SPARE = 32;

/**
 * Parsers for connections that say something now and then. One takes ten kilobytes, which a thousand
 * agents that are silent need not hold.
 */
export class Parsers {
  #kind: Kind;
  #mostHeaderBytes: number;
  #spare: Parser[] = [];

  constructor(kind: Kind, mostHeaderBytes: number) {
    this.#kind = kind;
    this.#mostHeaderBytes = mostHeaderBytes;
  }

  take(reader: Reader): Parser {
    const parser = this.#spare.pop() ?? new Parser(this.#kind, this.#mostHeaderBytes);
    parser.begin(reader);
    return parser;
  }

  /** Whatever it has read so far is forgotten. Never from within its Reader. */
  giveBack(parser: Parser): void {
    parser.rest();
    if (this.#spare.length < MOST_SPARE) this.#spare.push(parser);
    else parser.close();
  }
}

const NOBODY: Reader = { onBegin() {}, onHead() {}, onBody() {}, onEnd() {} };

/**
 * Node's own parser of HTTP/1, the one under node:http, at its strictest: on the way through a
 * collector, node:http itself costs as much as all the rest. Node does not document this door; it is
 * opened in this file only, and tested.
 */
export class Parser {
  #kind: Kind;
  #mostHeaderBytes: number;
  #reader: Reader = NOBODY;
  /** Headers that came in several parts, for there were many; after the head, trailers. */
  #gathered: RawHeaders = [];
  #target = "";
  #parser: NodeParser | undefined;

  constructor(kind: Kind, mostHeaderBytes: number) {
    this.#kind = kind;
    this.#mostHeaderBytes = mostHeaderBytes;
    const parser = new HTTPParser();
    this.#parser = parser;
    parser[HTTPParser.kOnMessageBegin] = () => {
      this.#gathered = [];
      this.#target = "";
      this.#reader.onBegin();
    };
    parser[HTTPParser.kOnHeaders] = (headers: RawHeaders, url: string) => {
      this.#gathered.push(...headers);
      this.#target += url;
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
      const all = headers ?? this.#gathered;
      this.#gathered = [];
      this.#reader.onHead({
        method: method === undefined ? "" : (methods[method] ?? ""),
        target: url ?? this.#target,
        status: status ?? 0,
        reason: reason ?? "",
        headers: all,
        version: major === 1 ? (minor === 1 ? "1.1" : "1.0") : "other",
        keepsAlive,
      });
      return 0;
    };
    parser[HTTPParser.kOnBody] = (bytes: Buffer) => this.#reader.onBody(bytes);
    parser[HTTPParser.kOnMessageComplete] = () => this.#reader.onEnd(this.#gathered);
  }

  /** Starts afresh, for somebody else. */
  begin(reader: Reader): void {
    const kind = this.#kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
    this.#reader = reader;
    this.#parser?.initialize(kind, {}, this.#mostHeaderBytes, HTTPParser.kLenientNone);
  }

  /** Holds on to nobody. */
  rest(): void {
    this.#reader = NOBODY;
    this.#gathered = [];
  }

  /** Reads bytes; tells why it cannot, or how many it took: fewer when the protocol is to change. */
  read(bytes: Buffer): number | ParseError {
    return this.#parser ? this.#parser.execute(bytes) : bytes.length;
  }

  /** Frees its memory; never from within a Reader. */
  close(): void {
    this.#parser?.close();
    this.#parser = undefined;
  }
}
