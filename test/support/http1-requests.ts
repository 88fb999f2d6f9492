import fc from "fast-check";

/** Requests of HTTP/1.1 as anybody might write them, mostly posted to one path as one content type. */
export const someRequests = (path: string, type: string) =>
  fc
    .record({
      line: fc.oneof(
        { weight: 25, arbitrary: fc.constant(`POST ${path} HTTP/1.1`) },
        fc.constantFrom(
          `POST ${path} HTTP/1.0`,
          `POST ${path}?a=1 HTTP/1.1`,
          `post ${path} HTTP/1.1`,
          `POST http://here${path} HTTP/1.1`,
          `POST  ${path} HTTP/1.1`,
          `GET ${path} HTTP/1.1`,
          `\r\nPOST ${path} HTTP/1.1`,
          "OPTIONS * HTTP/1.1",
          "nonsense",
        ),
      ),
      host: fc.oneof(
        { weight: 25, arbitrary: fc.constant("Host: here:1") },
        fc.constantFrom("host:here", "Host:", "Host: a b", "Host: [", "X-Y: 1", "Host: ü"),
      ),
      contentType: fc.oneof(
        { weight: 25, arbitrary: fc.constant(`Content-Type: ${type}`) },
        fc.constantFrom(`content-type:${type}  `, "Content-Type: text/plain", "X-Z: z"),
      ),
      body: fc.string({ maxLength: 40 }).map((text) => Buffer.from(text).toString("latin1")),
      length: fc.oneof(
        { weight: 15, arbitrary: fc.constantFrom("right" as const, "chunked" as const) },
        fc.constantFrom("none", "twice", "both", "zeros", "plus", "longer", "huge"),
      ),
      more: fc.array(
        fc.constantFrom(
          "X-A: 1",
          "x-a:2",
          "X-A: \t a\tb ",
          "X-A: ü",
          "Authorization: Bearer x",
          "Connection: keep-alive",
          "Connection: close",
          "Connection: Keep-Alive, X-A",
          "Proxy-Connection: close",
          "Expect: 100-continue",
          "Expect: more",
          "Upgrade: h2c",
          "TE: trailers",
          "Connect-Timeout: 5",
          "X_B: 1",
          "X-A : 1",
          " folded",
          "no colon",
          "X-Long: ".padEnd(5_000, "x"),
        ),
        { maxLength: 2 },
      ),
      chunks: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom("one" as const, "two" as const) },
        fc.constantFrom("extended", "trailers", "short", "long", "open"),
      ),
      lineEnd: fc.oneof({ weight: 20, arbitrary: fc.constant("\r\n") }, fc.constant("\n")),
    })
    .map(({ line, host, contentType, body, length, more, chunks, lineEnd }) => {
      const size = body.length;
      const lengths = {
        right: [`Content-Length: ${size}`],
        none: [],
        twice: [`Content-Length: ${size}`, `Content-Length: ${size}`],
        chunked: ["Transfer-Encoding: chunked"],
        both: ["Transfer-Encoding: chunked", `Content-Length: ${size}`],
        zeros: [`Content-Length: 000${size}`],
        plus: [`Content-Length: +${size}`],
        longer: [`Content-Length: ${size + 30}`],
        huge: ["Content-Length: 99999999999999999999"],
      }[length];
      const head = [line, host, contentType, ...lengths, ...more, "", ""].join(lineEnd);
      const isChunked = length === "chunked" || length === "both";
      return head + (isChunked ? inChunks(body, chunks) : body);
    });

/** A body in chunks, well or badly made. */
export function inChunks(body: string, how: string): string {
  const chunk = (part: string, more = "") =>
    part === "" ? "" : `${part.length.toString(16)}${more}\r\n${part}\r\n`;
  const half = body.length >> 1;
  const end = "0\r\n\r\n";
  return {
    one: chunk(body) + end,
    two: chunk(body.slice(0, half)) + chunk(body.slice(half).toUpperCase()) + end,
    extended: chunk(body, ";a=b") + end,
    trailers: `${chunk(body)}0\r\nX-T: 1\r\n\r\n`,
    short: `${(body.length - 1).toString(16)}\r\n${body}\r\n${end}`,
    long: `00000000${chunk(body) || "0"}${end}`,
    open: chunk(body),
  }[how] as string;
}
