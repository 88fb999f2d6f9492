import {
  type HttpRequest,
  HttpRequest_Method as Method,
  type SourceSecrets,
  type TlsTrust,
} from "../../../gen/lumetry/source/v1/settings_pb.js";
import type { TlsOptions } from "../../../lib/egress/dialler.ts";
import { type HttpAnswer, requestHttp } from "../../../lib/egress/http.ts";
import { PollFailed } from "../findings.ts";
import type { PollContext } from "./kind.ts";

const DEFAULT_MOST_BODY_BYTES = 10 * 2 ** 20;

/** The dialler's terms for whom to believe. */
export const tlsOptions = (trust: TlsTrust | undefined): TlsOptions => ({
  ca: trust?.caPem || undefined,
  serverName: trust?.serverName || undefined,
});

function secretHeaders(settings: HttpRequest, secrets: SourceSecrets): Record<string, string> {
  const headers: Record<string, string> = { ...secrets.headers };
  if (secrets.bearerToken) headers.authorization = `Bearer ${secrets.bearerToken}`;
  else if (settings.username) {
    const pair = Buffer.from(`${settings.username}:${secrets.password}`);
    headers.authorization = `Basic ${pair.toString("base64")}`;
  }
  return headers;
}

/** One HTTP exchange as the settings want it. */
export async function requestAsSet(
  settings: HttpRequest | undefined,
  { secrets, dialler, signal, charge, findings }: PollContext,
  options: { whenLonger: "cut" | "fail"; accept?: string },
): Promise<HttpAnswer> {
  if (!settings) throw new PollFailed("the settings name no URL");
  const answer = await requestHttp(dialler, {
    method: Method[settings.method || Method.GET].replace("METHOD_", ""),
    url: settings.url,
    headers: { ...(options.accept ? { accept: options.accept } : {}), ...settings.headers },
    secretHeaders: secretHeaders(settings, secrets),
    ...(settings.body.length > 0 ? { body: settings.body } : {}),
    redirects: settings.mostRedirects,
    mostBytes: settings.mostBodyBytes || DEFAULT_MOST_BODY_BYTES,
    whenLonger: options.whenLonger,
    tls: tlsOptions(settings.tls),
    charge,
    signal,
    trace: findings.trace,
  });
  findings.fact("address", answer.address);
  findings.fact("status", String(answer.status));
  if (answer.url !== settings.url && settings.mostRedirects > 0) findings.fact("url", answer.url);
  return answer;
}

/** Fails the poll of a source that has to answer with a document. */
export function requireDocument(answer: HttpAnswer): string {
  const { status } = answer;
  if (status < 200 || status > 299) {
    const { location } = answer.headers;
    const hint = location ? `, a redirect to ${location.slice(0, 200)}, which is not followed` : "";
    throw new PollFailed(`answered with status ${status}${hint}`);
  }
  return answer.body.toString("utf8");
}
