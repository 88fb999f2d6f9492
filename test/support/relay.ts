import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { RelayLimits } from "../../collector/relay/limits.ts";
import { type Relay, startRelay } from "../../collector/relay/relay.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { makeLog, silentLog } from "../../lib/log.ts";
import { makeTransports, type Transports } from "./transports.ts";
import type { Callee } from "./ways.ts";

/** What a collector is to relay with, where no server looks at it. */
export const ANY_CREDENTIAL = `lmtcc_${"0".repeat(49)}`;

/** A relay in this process, before a server that is somewhere else. */
export interface TestRelay extends AsyncDisposable {
  relay: Relay;
  port: number;
  /** Its certificate, in PEM form and as a file. */
  ca: string;
  caFile: string;
  dataDir: string;
  /** The relay as something to be called, over TLS and without. */
  secure: Callee;
  cleartext: Callee;
}

export async function startTestRelay(options: {
  /** The server's address, and the file of its authority. */
  server: { url: string; caFile?: string };
  credential?: string | (() => string | undefined);
  limits?: Partial<RelayLimits>;
  clock?: Clock;
}): Promise<TestRelay> {
  const { server, credential = ANY_CREDENTIAL, limits = {}, clock = systemClock } = options;
  await using started = new AsyncDisposableStack();
  const dataDir = await mkdtemp(path.join(tmpdir(), "lumetry-relay-"));
  started.defer(() => rm(dataDir, { recursive: true, force: true }));
  const relay = started.use(
    await startRelay(
      {
        listen: { host: "127.0.0.1", port: 0 },
        server: server.url,
        caFile: server.caFile || undefined,
        dataDir,
        limits,
      },
      {
        credential: typeof credential === "function" ? credential : () => credential,
        clock,
        log: process.env.LUMETRY_TEST_LOG ? makeLog("debug") : silentLog,
      },
    ),
  );
  await relay.listening;
  const { port = 0 } = relay;
  const caFile = path.join(dataDir, "relay/certificate.pem");
  const ca = await readFile(caFile, "utf8");
  const callee = (url: string, trusted: string): Callee => {
    const transports: Transports = started.use(makeTransports(url, trusted));
    return { url, caFile: trusted && caFile, transport: transports.transport, isMute: true };
  };
  const secure = callee(`https://localhost:${port}`, ca);
  const cleartext = callee(`http://localhost:${port}`, "");
  const stack = started.move();
  return {
    ...{ relay, port, ca, caFile, dataDir, secure, cleartext },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
