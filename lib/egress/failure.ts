/** A connection or an exchange that came to nothing; the message says why, in words for people. */
export class EgressFailure extends Error {
  override name = "EgressFailure";
  /** refused: by the policy, before anything was sent. */
  readonly kind: "refused" | "unresolved" | "unreachable" | "tls" | "timeout" | "protocol";

  constructor(kind: EgressFailure["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

const RESOLVING: Record<string, string> = {
  ENOTFOUND: "has no address",
  ENODATA: "has no address",
  EAI_AGAIN: "cannot be looked up now: no name server answers",
  EAI_FAIL: "cannot be looked up: the name server failed",
};

const CONNECTING: Record<string, string> = {
  ECONNREFUSED: "refused the connection",
  ECONNRESET: "closed the connection",
  EPIPE: "closed the connection",
  EHOSTUNREACH: "cannot be reached: no route to the host",
  ENETUNREACH: "cannot be reached: no route to the network",
  ETIMEDOUT: "does not answer",
  EADDRNOTAVAIL: "cannot be reached from an address of this machine",
  EACCES: "cannot be reached: this system forbids it",
  EPERM: "cannot be reached: this system forbids it",
  EMFILE: "cannot be reached: this process has too many open files",
};

const TLS: Record<string, string> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate comes from an authority that is not trusted",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate comes from an authority that is not trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate comes from an authority that is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate comes without the chain to a trusted authority",
  CERT_REVOKED: "its certificate was revoked",
};

const codeOf = (error: unknown) => String((error as { code?: unknown } | undefined)?.code ?? "");

export const resolvingFailed = (host: string, error: unknown) =>
  new EgressFailure("unresolved", `${host} ${RESOLVING[codeOf(error)] ?? "cannot be looked up"}`, {
    cause: error,
  });

/** What went wrong on the way to, or with, an address such as "10.0.0.7:443". */
export function connectionFailed(where: string, error: unknown): EgressFailure {
  if (error instanceof EgressFailure) return error;
  const single = error instanceof AggregateError ? error.errors.at(-1) : error;
  const code = codeOf(single);
  const words = CONNECTING[code] ?? `failed: ${(single as Error).message}`;
  return new EgressFailure("unreachable", `${where} ${words}`, { cause: error });
}

/** Why a certificate is not trusted, in words; for what `tls` calls an authorization error. */
export const certificateProblem = (code: string): string =>
  TLS[code] ?? `its certificate does not hold (${code.toLowerCase().replaceAll("_", " ")})`;

export function tlsFailed(where: string, error: unknown): EgressFailure {
  if (error instanceof EgressFailure) return error;
  const code = codeOf(error);
  if (code in CONNECTING) return connectionFailed(where, error);
  const words = code in TLS ? certificateProblem(code) : `TLS failed: ${reasonOf(error as Error)}`;
  return new EgressFailure("tls", `${where}: ${words}`, { cause: error });
}

function reasonOf(error: Error & { code?: string; reason?: string }): string {
  if (error.code === "ERR_SSL_WRONG_VERSION_NUMBER") return "it does not speak TLS";
  return (error.reason ?? error.message).slice(0, 200);
}

export function outOfTime(where: string, phase: string): EgressFailure {
  return new EgressFailure("timeout", `${where} took too long: stopped while ${phase}`);
}
