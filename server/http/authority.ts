import { isHttp2, type Request } from "./exchange.ts";

/** No white space, nothing that would make a URL of it mean something else. */
const SHAPE = /^[^\s/?#@\\]{1,255}$/;

export const isAuthority = (value: string): boolean =>
  SHAPE.test(value) && URL.canParse(`http://${value}`);

/**
 * Whom a request is addressed to, as `host` or `host:port`. HTTP/1.0 need not say; everybody else
 * says so once, in a form that URLs know. The problem is a sentence for whoever sent it.
 */
export function readAuthority(
  request: Request,
): { value: string; problem?: undefined } | { problem: string } {
  const name = isHttp2(request) ? ":authority" : "Host";
  const given = isHttp2(request) ? request.authority : request.headers.host;
  if (!isHttp2(request) && countHosts(request.rawHeaders) > 1) {
    return { problem: "a request has one Host header" };
  }
  if (given === undefined || given === "") {
    if (request.httpVersion === "1.0") return { value: "localhost" };
    return { problem: `the request has no ${name}: it names the server, such as "localhost:8443"` };
  }
  if (!isAuthority(given)) {
    const sent = JSON.stringify(given.slice(0, 255));
    return {
      problem: `${sent} is no ${name}: write a name and perhaps a port, such as "localhost:8443"`,
    };
  }
  return { value: given };
}

function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === "host") count += 1;
  }
  return count;
}
