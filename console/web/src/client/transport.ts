import type { Interceptor } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { learnServerTime } from "./clock.ts";
import { takeEarly } from "./early.ts";

const CALL_MS = 30_000;

/** Marks a call as one of this page: only with it does the session's cookie count. */
const ownCall: Interceptor = (next) => async (request) => {
  request.header.set("lumetry-credential", "cookie");
  const response = await next(request);
  learnServerTime(response.header.get("date"));
  return response;
};

let onSignedOut = () => {};

/** Calls back when the server no longer knows the session: it ended, or was ended elsewhere. */
export function whenSignedOut(then: () => void): void {
  onSignedOut = then;
}

/** Calls that strangers make, or that ask who is there: nobody was signed out by their refusal. */
const OPEN = new Set([
  "CreateSession",
  "AcceptInvitation",
  "CompleteSetup",
  "GetSetup",
  "GetSession",
]);

const watchSession: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    const isRefused = error instanceof ConnectError && error.code === Code.Unauthenticated;
    if (isRefused && !OPEN.has(request.method.name)) onSignedOut();
    throw error;
  }
};

export const transport = createConnectTransport({
  baseUrl: "/",
  useBinaryFormat: true,
  defaultTimeoutMs: CALL_MS,
  interceptors: [watchSession, ownCall],
  fetch: (url, init = {}) => takeEarly(String(url), init) ?? fetch(url, init),
});
