import { once } from "node:events";
import type net from "node:net";
import type { HostPort } from "../settings.ts";

const REASONS: Record<string, string> = {
  EADDRINUSE: "something else listens there",
  EACCES: "this user may not; ports below 1024 take privileges",
  EADDRNOTAVAIL: "this machine does not have that address",
};

/** Makes a server listen; rejects in plain words when the port is taken or not allowed. */
export async function bind(server: net.Server, { host, port }: HostPort): Promise<void> {
  const listening = once(server, "listening");
  server.listen(port, host);
  try {
    await listening;
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    throw new Error(`cannot listen on ${host}:${port}: ${REASONS[code] ?? message}`, {
      cause: error,
    });
  }
}
