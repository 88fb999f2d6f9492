import { gzipSync } from "node:zlib";
import { relayedPaths } from "../../../collector/relay/allow-list.ts";
import { HOP_HEADER } from "../../../collector/relay/headers.ts";

export type RawHeaders = string[];

/** One call and its answer, as a test would have them on the wire. */
export interface PlannedExchange {
  number: number;
  version: "1.1" | "2";
  isSecure: boolean;
  method: "POST" | "GET";
  target: string;
  /** What an agent sends. */
  headers: RawHeaders;
  /** What of it the server must see, in this order. */
  passedOn: RawHeaders;
  /** As it is written, piece by piece. */
  body: Buffer[];
  isChunked: boolean;
  reply: PlannedReply;
}

export interface PlannedReply {
  kind: "whole" | "trailers only" | "no body" | Malformed;
  status: number;
  reason: string;
  headers: RawHeaders;
  body: Buffer[];
  isChunked: boolean;
  trailers: RawHeaders;
}

/** Answers of HTTP/1.1 that nobody may take for whole. */
const MALFORMED = [
  "cut short",
  "broken chunk",
  "two lengths",
  "length and chunks",
  "no length",
  "no answer",
  "another protocol",
  "too much",
] as const;
export type Malformed = (typeof MALFORMED)[number];

export const isMalformed = ({ kind }: PlannedReply) =>
  (MALFORMED as readonly string[]).includes(kind);

/** The same plan for the same random numbers, which are below one. */
export function planExchange(number: number, random: () => number): PlannedExchange {
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(options: readonly T[]) => options[below(options.length)] as T;
  const chance = (part: number) => random() < part;
  const text = (alphabet: string, most: number) =>
    Array.from({ length: 1 + below(most) }, () => pick([...alphabet])).join("");

  const version = chance(0.5) ? ("1.1" as const) : ("2" as const);
  const TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~";
  const name = () => {
    const lower = `x-${text(TOKEN, 12)}`;
    return version === "1.1" && chance(0.5) ? lower.toUpperCase() : lower;
  };
  const value = () => {
    if (chance(0.05)) return "";
    const inner = Array.from({ length: 1 + below(60) }, () =>
      chance(0.1) ? String.fromCharCode(0x80 + below(0x80)) : String.fromCharCode(0x21 + below(94)),
    ).join("");
    return chance(0.3) ? `${inner} \t${text(TOKEN, 9)}` : inner;
  };
  const some = (most: number, one: () => [string, string]): RawHeaders =>
    Array.from({ length: below(most + 1) }, one).flat();
  const bytes = (size: number) => Buffer.from(Array.from({ length: size }, () => below(256)));
  const content = (): Buffer => {
    const size = pick([0, 1, below(100), below(2_000), 20_000 + below(50_000)]);
    if (chance(0.02)) return Buffer.alloc(1_000_000 + below(3_000_000), bytes(997));
    return chance(0.3) ? gzipSync(Buffer.alloc(size, bytes(31))) : bytes(Math.min(size, 30_000));
  };
  const pieces = (whole: Buffer): Buffer[] => {
    const parts: Buffer[] = [];
    for (let at = 0; at < whole.length; ) {
      const end = Math.min(whole.length, at + 1 + below(Math.max(1, whole.length)));
      parts.push(whole.subarray(at, end));
      at = end;
    }
    return parts;
  };

  const method = chance(0.2) ? ("GET" as const) : ("POST" as const);
  const query = chance(0.4) ? `?${text(`${TOKEN}/?:@=,;()[]{}<>"`, 80)}` : "";
  const whole = method === "POST" ? content() : Buffer.alloc(0);
  const isChunked = method === "POST" && chance(0.4);
  const endToEnd: RawHeaders = [
    ...["content-type", pick(["application/proto", "application/json", "application/grpc", "x/y"])],
    ...(chance(0.7) ? ["authorization", `Bearer ${text(TOKEN, 50)}`] : []),
    ...(chance(0.2) ? ["content-encoding", "gzip"] : []),
    ...(chance(0.2) ? ["grpc-timeout", `${below(1_000)}m`] : []),
    ...(method === "POST" && !isChunked ? ["content-length", String(whole.length)] : []),
    ...some(8, () => [name(), value()]),
    ...(chance(0.2) ? ["x-again", "1", "x-again", "2", "x-other", "3", "x-again", "1"] : []),
  ];
  // What an agent cannot say in a collector's name, and what is of one connection only.
  const forged = ["Lumetry-Relay-Authorization", `Bearer lmtcc_${text(TOKEN, 30)}`];
  const ownHop = ["keep-alive", "timeout=5", "proxy-connection", "keep-alive", "x-dropped", "1"];
  const hop =
    version === "1.1"
      ? [
          ...(chance(0.3) ? forged : []),
          ...(chance(0.3) ? ["Connection", "X-Dropped, keep-alive", ...ownHop] : []),
          ...(chance(0.2) ? ["TE", "trailers"] : []),
        ]
      : chance(0.3)
        ? forged.map((part, index) => (index === 0 ? part.toLowerCase() : part))
        : [];

  return {
    number,
    version,
    isSecure: chance(0.5),
    method,
    target: pick([...relayedPaths]) + query,
    headers: chance(0.5) ? [...hop, ...endToEnd] : [...endToEnd, ...hop],
    passedOn: endToEnd,
    body: pieces(whole),
    isChunked,
    reply: planReply(),
  };

  function planReply(): PlannedReply {
    const kind =
      version === "1.1" && chance(0.15)
        ? pick(MALFORMED)
        : chance(0.1)
          ? "no body"
          : version === "2" && chance(0.2)
            ? "trailers only"
            : "whole";
    const body = kind === "whole" || kind === "cut short" ? content() : Buffer.from("some bytes");
    const isChunked = kind === "broken chunk" || (version === "1.1" && chance(0.5));
    const hasTrailers = kind === "whole" && (version === "2" || isChunked) && chance(0.5);
    return {
      kind,
      status: kind === "no body" ? pick([204, 304]) : pick([200, 200, 400, 401, 429, 500, 503]),
      reason: version === "1.1" ? text("abc DEF'-", 20).trim() : "",
      headers: [
        ...["content-type", pick(["application/proto", "application/grpc-web", "z/q"])],
        ...["date", "Thu, 01 Jan 1970 00:00:00 GMT"],
        ...some(6, () => [name(), value()]),
        ...(chance(0.2) ? ["set-cookie", "a=1", "set-cookie", "b=2"] : []),
        ...(kind === "trailers only" ? ["grpc-status", "13", "grpc-message", "no%20way"] : []),
        ...(kind === "whole" && !isChunked ? ["content-length", String(body.length)] : []),
      ],
      body: kind === "no body" || kind === "trailers only" ? [] : pieces(body),
      isChunked,
      trailers: hasTrailers ? ["grpc-status", "0", ...some(3, () => [name(), value()])] : [],
    };
  }
}

/** What the collector adds. */
export const hopOf = (credential: string): RawHeaders => [HOP_HEADER, `Bearer ${credential}`];
