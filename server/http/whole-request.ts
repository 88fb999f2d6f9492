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
/** What changes how the rest is to be read, or the answer to be given. */
const SPECIAL = ["transfer-encoding", "connection", "upgrade", "expect", "te", "trailer"];

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
      const length = fields.get("content-length") ?? "";
      if (fields.get("content-type") !== contentType || !LENGTH.test(length)) return "other";
      if (Number(length) > MOST_BODY_BYTES || !isHost(fields.get("host") ?? "")) return "other";
      const from = headEnd + HEAD_END.length;
      const end = from + Number(length);
      if (end > bytes.length) return "part";
      return { headers: headersOf(fields), body: bytes.subarray(from, end), end };
    },
  };
}

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
