import type { HandlerContext } from "@connectrpc/connect";
import { requireOwnPage, SESSION_COOKIE, usesCookie } from "../access/credential.ts";
import type { SignIn } from "./sign-in.ts";

const ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict";

/** Throws before anything is done if a session is asked for as a cookie from elsewhere than a page of ours. */
export function requireCookiePage(asCookie: boolean, context: HandlerContext): void {
  if (asCookie) requireOwnPage(context.requestHeader);
}

/** A new session as it was asked for: with its secret in the message, or in a cookie. */
export function deliver(
  { session }: Pick<SignIn, "session">,
  asCookie: boolean,
  context: HandlerContext,
  lifetimeMs: number,
): SignIn["session"] {
  if (!asCookie) return session;
  const age = `Max-Age=${Math.floor(lifetimeMs / 1000)}`;
  context.responseHeader.append(
    "set-cookie",
    `${SESSION_COOKIE}=${session.secret}; ${age}; ${ATTRIBUTES}`,
  );
  return { ...session, secret: "" };
}

/** Takes the cookie away from a browser that signs out. */
export function takeBackCookie(context: HandlerContext): void {
  if (!usesCookie(context.requestHeader)) return;
  context.responseHeader.append("set-cookie", `${SESSION_COOKIE}=; Max-Age=0; ${ATTRIBUTES}`);
}
