import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import tls from "node:tls";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { version } from "../../lib/version.ts";
import { type Called, usageError } from "./errors.ts";
import type { Place } from "./place.ts";
import { isThisMachine } from "./session-files.ts";

const LONGEST_CALL_MS = 30_000;

/** A server to call, as somebody or as nobody. */
export interface Connection extends Disposable {
  readonly called: Called;
  client<S extends DescService>(service: S): Client<S>;
}

/** What it takes to call a server. */
export type Reachable = Pick<Place, "url" | "caFile" | "credential"> & Partial<Pick<Place, "file">>;

/** Opens nothing yet; calls carry the credential when there is one. */
export function connect(
  { url, caFile, credential, file }: Reachable,
  environment: Record<string, string | undefined> = process.env,
): Connection {
  const identify: Interceptor = (next) => (request) => {
    request.header.set("user-agent", `lumetry-cli/${version}`);
    if (credential) request.header.set("authorization", `Bearer ${credential.secret}`);
    return next(request);
  };
  const agent = makeAgent(url, caFile, environment);
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    nodeOptions: { agent },
    interceptors: [identify],
    defaultTimeoutMs: LONGEST_CALL_MS,
  });
  return {
    called: {
      server: url,
      caFile,
      signedIn: credential !== undefined,
      isUp: file?.kind === "folder",
    },
    client: (service) => createClient(service, transport),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function makeAgent(
  url: string,
  caFile: string | undefined,
  environment: Record<string, string | undefined>,
): http.Agent {
  // A proxy is for the way out; this machine is reached without one.
  const options = { keepAlive: true, ...(!isThisMachine(url) && { proxyEnv: environment }) };
  if (url.startsWith("http:")) return new http.Agent(options);
  return new https.Agent({ ...options, ca: readAuthorities(caFile) });
}

/** The authorities in a file, or those of the system together with Node's. */
function readAuthorities(caFile: string | undefined): string | string[] {
  if (caFile === undefined) {
    return [...tls.getCACertificates("default"), ...tls.getCACertificates("system")];
  }
  try {
    const text = readFileSync(caFile, "utf8");
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  } catch (error) {
    throw usageError(`The CA file cannot be read: ${(error as Error).message}.`);
  }
  throw usageError(`${caFile} holds no certificate in PEM form.`);
}
