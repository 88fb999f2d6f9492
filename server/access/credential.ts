import { Code } from "@connectrpc/connect";
import type { CallHeaders } from "../context.ts";
import { problem, Reason } from "../problem.ts";

/**
 * A browser keeps a person's session here. With this prefix it accepts the cookie over TLS only, from
 * this host only, and for all its paths.
 */
export const SESSION_COOKIE = "__Host-lumetry-session";
/** The cookie counts for calls that say so in this header, which no other site can make a browser send. */
export const CREDENTIAL_HEADER = "lumetry-credential";

/** Whoever calls says so in the first; a collector that passes a call on, in the second. */
export type CredentialHeader = "authorization" | "lumetry-relay-authorization";

/** Whether a call's credential is the session that its browser keeps in the cookie. */
export const usesCookie = (headers: CallHeaders, header: CredentialHeader = "authorization") =>
  header === "authorization" && headers.get(CREDENTIAL_HEADER) === "cookie";

function cookieIn(headers: CallHeaders): string | undefined {
  for (const pair of (headers.get("cookie") ?? "").split(";")) {
    const [name, value = ""] = pair.trim().split("=", 2);
    if (name === SESSION_COOKIE && value !== "") return value;
  }
  return undefined;
}

/** Whether a call brings any credential, good or bad. */
export const carriesCredential = (
  headers: CallHeaders,
  header: CredentialHeader = "authorization",
) => headers.has(header) || (usesCookie(headers, header) && cookieIn(headers) !== undefined);

/**
 * The secret that a call presents: from the authorization header or the session's cookie, never
 * both; "" when there is none in the form that it should have. Throws for a call that another
 * site's page made with the cookie.
 */
export function secretIn(headers: CallHeaders, header: CredentialHeader = "authorization"): string {
  if (!usesCookie(headers, header)) {
    return /^Bearer +(\S+)$/i.exec(headers.get(header) ?? "")?.[1] ?? "";
  }
  if (headers.has("authorization")) {
    throw problem(
      Code.InvalidArgument,
      Reason.NOT_ALLOWED,
      "a call brings one credential: the authorization header or the session's cookie, not both",
    );
  }
  requireOwnPage(headers);
  const secret = cookieIn(headers) ?? "";
  // Whatever else is valid somewhere is no session, and has no business in a cookie.
  return secret.startsWith("lmtss_") ? secret : "";
}

/** Throws unless a browser says that the call comes from a page of this server. */
export function requireOwnPage(headers: CallHeaders): void {
  const site = headers.get("sec-fetch-site");
  if (site === null ? originHost(headers) === headers.get("host") : site === "same-origin") return;
  throw problem(
    Code.PermissionDenied,
    Reason.NOT_ALLOWED,
    "a session in a cookie is for pages of this server only; elsewhere, send an access token in the authorization header",
  );
}

/** Whose page it is, where a browser says no more than that; undefined when it does not even. */
function originHost(headers: CallHeaders): string | undefined {
  const origin = headers.get("origin") ?? "";
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
