import type { X509Certificate } from "node:crypto";
import type { Findings } from "../findings.ts";

const DAY_MS = 86_400_000;

/** Whole and broken days until a certificate ends; negative once it has. */
export const daysLeft = (certificate: X509Certificate): number =>
  (certificate.validToDate.getTime() - Date.now()) / DAY_MS;

const oneLine = (text: string) => text.split("\n").join(", ");

/** What people and charts want to know of a certificate that a server showed. */
export function noteCertificate(certificate: X509Certificate, findings: Findings): void {
  findings.gauge("tls.certificate.days_left", daysLeft(certificate), {
    unit: "d",
    description: "Days until the certificate that the server shows ends",
  });
  findings.fact("certificate.subject", oneLine(certificate.subject));
  findings.fact("certificate.issuer", oneLine(certificate.issuer));
  findings.fact("certificate.names", certificate.subjectAltName ?? "");
  findings.fact("certificate.valid_from", certificate.validFromDate.toISOString());
  findings.fact("certificate.valid_to", certificate.validToDate.toISOString());
  findings.fact("certificate.sha256", certificate.fingerprint256);
}
