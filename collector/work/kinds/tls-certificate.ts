import { TLSSocket } from "node:tls";
import type { TlsCertificate } from "../../../gen/lumetry/source/v1/settings_pb.js";
import { certificateProblem } from "../../../lib/egress/failure.ts";
import { PollFailed } from "../findings.ts";
import { daysLeft, noteCertificate } from "./certificate.ts";
import { tlsOptions } from "./http.ts";
import type { Poll } from "./kind.ts";

/** Looks at a certificate even if it does not hold, so that how long it has left is known all the same. */
export const pollTlsCertificate: Poll<TlsCertificate> = async (settings, context) => {
  const { dialler, signal, findings } = context;
  const { host = "", port = 0 } = settings.target ?? {};
  const { socket, address } = await dialler.dial(host, port, {
    signal,
    trace: findings.trace,
    tls: { ...tlsOptions(settings.tls), tolerant: true },
  });
  findings.fact("address", address);
  try {
    if (!(socket instanceof TLSSocket)) throw new PollFailed("the connection is not encrypted");
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw new PollFailed("the server shows no certificate");
    noteCertificate(certificate, findings);
    findings.fact("tls.version", socket.getProtocol() ?? "");
    findings.fact("tls.cipher", socket.getCipher().standardName);
    if (!socket.authorized) {
      // Node's types call it an Error; it is the code of one.
      const error: unknown = socket.authorizationError;
      const code = typeof error === "string" ? error : (error as { code?: string } | null)?.code;
      throw new PollFailed(certificateProblem(code ?? "unknown reason"));
    }
    const left = daysLeft(certificate);
    if (left < settings.leastDaysLeft) {
      throw new PollFailed(
        `the certificate ends in ${left.toFixed(1)} days, on ${certificate.validToDate.toISOString()}; at least ${settings.leastDaysLeft} have to be left`,
      );
    }
  } finally {
    socket.destroy();
  }
};
