/** By this header a collector names itself, with its own credential. */
export const HOP_HEADER = "lumetry-relay-authorization";

/** What concerns one connection only, or is said anew on the next one. */
const OF_ONE_HOP = new Set([
  "connection",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  HOP_HEADER,
]);

/** Names and values in turn, as they came: in their order, in their spelling, repeated or not. */
export type RawHeaders = string[];

/** Calls back with each header that is passed on. */
export function eachPassedOn(
  headers: RawHeaders,
  take: (name: string, value: string) => void,
): void {
  const named = namedByConnection(headers);
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? "";
    const lower = name.toLowerCase();
    if (lower.startsWith(":") || OF_ONE_HOP.has(lower) || named?.has(lower)) continue;
    take(name, headers[i + 1] ?? "");
  }
}

/** What a Connection header declares to be of this hop as well; never the length of a body. */
function namedByConnection(headers: RawHeaders): Set<string> | undefined {
  const value = find(headers, "connection");
  if (value === undefined || value === "keep-alive" || value === "close") return undefined;
  const names = new Set(value.split(",").map((name) => name.trim().toLowerCase()));
  names.delete("content-length");
  return names;
}

/** The values of a header, joined as a list; undefined when there is none. */
export function find(headers: RawHeaders, wanted: string): string | undefined {
  let found: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i];
    if (name?.length !== wanted.length || name.toLowerCase() !== wanted) continue;
    const value = headers[i + 1] ?? "";
    found = found === undefined ? value : `${found}, ${value}`;
  }
  return found;
}
