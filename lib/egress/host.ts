import { isIP, isIPv4, isIPv6 } from "node:net";
import { EgressFailure } from "./failure.ts";

/** Nothing that could end a host name early, or begin something else. */
const PLAIN = /^[^\s/\\?#@:[\]%\p{Cc}]{1,253}$/u;

/**
 * A host name or address in the one form in which it is looked up, checked and shown: lower case,
 * punycode, addresses in full ("0x7f.1" is 127.0.0.1). Throws EgressFailure for what is none.
 */
export function readHost(text: string): string {
  // Taken in this one form only, which is that of the answer.
  if (isIPv4(text)) return text;
  if (text.includes("%")) throw noHost(text);
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const written = isIPv6(bare) ? `[${bare}]` : bare;
  if (!isIPv6(bare) && !PLAIN.test(bare)) throw noHost(text);
  const url = URL.canParse(`http://${written}/`) ? new URL(`http://${written}/`) : undefined;
  const host = url?.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (!host) throw noHost(text);
  return host;
}

const noHost = (text: string) =>
  new EgressFailure("protocol", `"${text.slice(0, 100)}" is no host name or address`);

/** "10.0.0.7:443" or "[fd00::7]:443". */
export const hostAndPort = (host: string, port: number): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;

/** The name to ask a TLS server for; addresses have none. */
export const serverName = (host: string): string | undefined => (isIP(host) ? undefined : host);

/**
 * A URL that may be called: http or https, without a user name. Throws EgressFailure else. What it
 * cannot be told apart by is gone in the answer: the parsed URL, not the text, says where a call goes.
 */
export function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw new EgressFailure("protocol", `"${text.slice(0, 200)}" is no URL`);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new EgressFailure("protocol", `${url.protocol} is not called: write http: or https:`);
  }
  if (url.username || url.password) {
    throw new EgressFailure("protocol", "the URL holds a user name or password: leave them out");
  }
  readHost(url.hostname);
  return url;
}

/** Where a URL leads. */
export function placeOf(url: URL): { host: string; port: number } {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  return { host: readHost(url.hostname), port };
}
