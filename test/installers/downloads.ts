import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";

/** How a place of downloads misbehaves. */
const MANNERS = {
  good: (response: http.ServerResponse, bytes: Buffer) => response.end(bytes),
  corrupt(response: http.ServerResponse, bytes: Buffer) {
    const changed = Buffer.from(bytes);
    const middle = changed.length >> 1;
    changed[middle] = (changed[middle] ?? 0) ^ 1;
    response.end(changed);
  },
  /** Says how much there will be, and hangs up half-way. */
  cut(response: http.ServerResponse, bytes: Buffer) {
    response.setHeader("content-length", bytes.length);
    response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
  },
  /** Ends half-way as if that were all. */
  short: (response: http.ServerResponse, bytes: Buffer) =>
    response.end(bytes.subarray(0, bytes.length >> 1)),
  page: (response: http.ServerResponse) => response.end("<html>Please sign in</html>"),
  missing(response: http.ServerResponse) {
    response.statusCode = 404;
    response.end();
  },
};

export type Manner = keyof typeof MANNERS;

export interface Downloads extends AsyncDisposable {
  url(manner: Manner): string;
}

/** Hands out the files of a folder, in whatever manner the first part of the path says. */
export async function startDownloads(folder: string): Promise<Downloads> {
  const server = http.createServer(async (request, response) => {
    const [, manner = "", name = ""] = (request.url ?? "").split("/");
    const bytes = await readFile(path.join(folder, path.basename(name))).catch(() => undefined);
    if (bytes) MANNERS[manner as Manner](response, bytes);
    else MANNERS.missing(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: (manner) => `http://127.0.0.1:${port}/${manner}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
