import { X509Certificate } from "node:crypto";
import tls, { type SecureContext } from "node:tls";
import { EgressFailure } from "./failure.ts";

/** Reading authorities takes long; the few that are in use are kept. */
const MOST_KEPT = 64;

const contexts = new Map<string | undefined, SecureContext>();

/** Trusts the authorities of Node and of this system, and those in a PEM text besides. */
export function trusting(ca: string | undefined): SecureContext {
  const known = contexts.get(ca);
  if (known) return known;
  const context = make(ca);
  const oldest = contexts.keys().find((key) => key !== undefined);
  if (contexts.size >= MOST_KEPT) contexts.delete(oldest);
  contexts.set(ca, context);
  return context;
}

function make(ca: string | undefined): SecureContext {
  const all = new Set([...tls.getCACertificates("default"), ...tls.getCACertificates("system")]);
  const minVersion = "TLSv1.2";
  if (ca === undefined) return tls.createSecureContext({ ca: [...all], minVersion });
  try {
    new X509Certificate(ca); // `tls` takes what is none, and says nothing
    return tls.createSecureContext({ ca: [...all, ca], minVersion });
  } catch (cause) {
    const words = "the certificate authority to trust is no PEM certificate";
    throw new EgressFailure("tls", words, { cause });
  }
}
