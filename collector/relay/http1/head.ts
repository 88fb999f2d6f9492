import { eachPassedOn, type RawHeaders } from "../headers.ts";

/** The framing of a body that tells no length beforehand. */
export const CHUNKED = "Transfer-Encoding: chunked\r\n";

/** A head as it is sent: its first lines, of what came all that is passed on, and lines of our own. */
export function writeHead(start: string, headers: RawHeaders, own = ""): string {
  let text = start;
  eachPassedOn(headers, (name, value) => {
    text += `${name}: ${value}\r\n`;
  });
  return `${text}${own}\r\n`;
}
