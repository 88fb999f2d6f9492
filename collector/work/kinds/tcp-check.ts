import type { Socket } from "node:net";
import type { TcpCheck } from "../../../gen/lumetry/source/v1/settings_pb.js";
import { connectionFailed } from "../../../lib/egress/failure.ts";
import { PollFailed } from "../findings.ts";
import { tlsOptions } from "./http.ts";
import type { Poll } from "./kind.ts";

/** Whatever the target says after that is not looked at. */
const MOST_HEARD_BYTES = 64 * 1024;

/** Resolves once the expected bytes have come; throws when the target ends without them. */
function hear(socket: Socket, expected: Uint8Array, signal: AbortSignal): Promise<void> {
  const wanted = Buffer.from(expected);
  let heard = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const fail = (what: string) =>
      reject(
        new PollFailed(
          `${what} before it said what is expected; it said ${JSON.stringify(heard.toString("latin1").slice(0, 100))}`,
        ),
      );
    socket.on("data", (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.includes(wanted)) resolve();
      else if (heard.length > MOST_HEARD_BYTES) fail("said more than 64 KiB");
    });
    socket.once("error", (error) => reject(connectionFailed("the target", error)));
    socket.once("end", () => fail("ended the connection"));
    socket.once("close", () =>
      fail(signal.aborted ? "the time was over" : "closed the connection"),
    );
  });
}

export const pollTcpCheck: Poll<TcpCheck> = async (settings, context) => {
  const { dialler, signal, findings } = context;
  const { host = "", port = 0 } = settings.target ?? {};
  const { socket, address } = await dialler.dial(host, port, {
    signal,
    trace: findings.trace,
    tls: settings.tls ? tlsOptions(settings.tls) : undefined,
  });
  try {
    findings.fact("address", address);
    if (settings.expect.length > 0) {
      findings.trace("answer", "waiting for the expected answer");
      const heard = hear(socket, settings.expect, signal);
      if (settings.send.length > 0) socket.write(settings.send);
      await heard;
    } else if (settings.send.length > 0) socket.write(settings.send);
    for (const [phase, ms] of findings.phases) {
      findings.gauge(
        "tcp.phase.duration",
        ms / 1000,
        { unit: "s", description: "How long a phase of connecting took" },
        { phase },
      );
    }
  } finally {
    socket.destroy();
  }
};
