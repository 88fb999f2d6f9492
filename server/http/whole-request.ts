import type { CallHeaders } from "../context.ts";
import { isAuthority } from "./authority.ts";

/** A request of which everything is there. */
export interface WholeRequest {
  headers: CallHeaders;
  body: Buffer;
  /** Where the next one begins. */
  end: number;
}

/** Of what lies whole in one piece; more is read as it comes. */
const MOST_HEAD_BYTES = 4 << 10;
export const MOST_BODY_BYTES = 64 << 10;

const HEAD_END = Buffer.from("\r\n\r\n");
/** Fields on a line each, in ASCII; a name of these letters, so that its value is what follows. */
const FIELDS = /^(?:[A-Za-z0-9-]+:[ -~]*(?:\r\n|$))+$/;
const LENGTH = /^\d{1,5}$/;
const CHUNK_LENGTH = /^[\da-f]{1,5}$/i;
const LONGEST_CHUNK_LINE = 8;
const CRLF = Buffer.from("\r\n");
/** What changes how the rest is to be read, or the answer to be given. */
const SPECIAL = ["connection", "proxy-connection", "upgrade", "expect", "te", "trailer"];

/** Reads requests that begin with one line and have one content type. */
export interface WholeRequests {
  /**
   * The request that bytes begin with; "part" when more of it has to come. "other" is any other
   * request, and any that is written in an uncommon way: right or wrong, Node's parser has to see it.
   */
  read(bytes: Buffer): WholeRequest | "part" | "other";
}

export function makeWholeRequests(line: string, contentType: string): WholeRequests {
  const start = Buffer.from(`${line}\r\n`);
  let knownHost = "";

  const isHost = (host: string) => {
    if (host === knownHost) return true;
    if (!isAuthority(host)) return false;
    knownHost = host;
    return true;
  };

  return {
    read(bytes) {
      const common = Math.min(bytes.length, start.length);
      if (start.compare(bytes, 0, common, 0, common) !== 0) return "other";
      const headEnd = bytes.indexOf(HEAD_END);
      if (headEnd < 0) return bytes.length < MOST_HEAD_BYTES ? "part" : "other";
      if (headEnd > MOST_HEAD_BYTES) return "other";
      const fields = readFields(bytes.toString("latin1", start.length, headEnd));
      if (!fields || SPECIAL.some((name) => fields.has(name) && !isOrdinary(name, fields))) {
        return "other";
      }
      if (fields.get("content-type") !== contentType || !isHost(fields.get("host") ?? "")) {
        return "other";
      }
      const body = readBody(bytes, headEnd + HEAD_END.length, fields);
      return typeof body === "string" ? body : { ...body, headers: headersOf(fields) };
    },
  };
}

type Body = Pick<WholeRequest, "body" | "end"> | "part" | "other";

function readBody(bytes: Buffer, from: number, fields: ReadonlyMap<string, string>): Body {
  const encoding = fields.get("transfer-encoding");
  const length = fields.get("content-length");
  if (encoding !== undefined) {
    const isPlain = encoding.toLowerCase() === "chunked" && length === undefined;
    return isPlain ? readChunks(bytes, from) : "other";
  }
  if (length === undefined || !LENGTH.test(length)) return "other";
  const end = from + Number(length);
  if (end - from > MOST_BODY_BYTES) return "other";
  return end > bytes.length ? "part" : { body: bytes.subarray(from, end), end };
}

/** A body in chunks without extensions, and without trailers. */
function readChunks(bytes: Buffer, from: number): Body {
  const chunks: Buffer[] = [];
  let read = 0;
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf(CRLF, at);
    if (lineEnd < 0) return bytes.length - at < LONGEST_CHUNK_LINE ? "part" : "other";
    const size = bytes.toString("latin1", at, lineEnd);
    if (!CHUNK_LENGTH.test(size)) return "other";
    const start = lineEnd + CRLF.length;
    const end = start + Number.parseInt(size, 16);
    const next = end + CRLF.length;
    read += end - start;
    if (read > MOST_BODY_BYTES) return "other";
    if (next > bytes.length) return "part";
    if (CRLF.compare(bytes, end, next) !== 0) return "other";
    if (end === start) return { body: joined(chunks), end: next };
    chunks.push(bytes.subarray(start, end));
    at = next;
  }
}

const joined = ([first, ...others]: readonly Buffer[]): Buffer =>
  first && others.length === 0 ? first : Buffer.concat(first ? [first, ...others] : []);

const isOrdinary = (name: string, fields: ReadonlyMap<string, string>) =>
  name === "connection" && fields.get(name)?.toLowerCase() === "keep-alive";

/** By their names in small letters; undefined when one is uncommon or comes twice. */
function readFields(text: string): Map<string, string> | undefined {
  if (!FIELDS.test(text)) return undefined;
  const fields = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (fields.has(name)) return undefined;
    fields.set(name, line.slice(colon + 1).trim());
  }
  return fields;
}

const headersOf = (fields: ReadonlyMap<string, string>): CallHeaders => ({
  get: (name) => fields.get(name.toLowerCase()) ?? null,
  has: (name) => fields.has(name.toLowerCase()),
});
