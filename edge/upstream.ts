import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { ConfigService } from "../gen/lumetry/edge/v1/config_service_pb.js";
import { CredentialService } from "../gen/lumetry/edge/v1/credential_service_pb.js";
import { EnrollmentService } from "../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { HeartbeatService } from "../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { WorkService } from "../gen/lumetry/edge/v1/work_service_pb.js";
import { MetricsService } from "../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { Fingerprint } from "./connecting.ts";
import type { Identity } from "./identity.ts";
import { NeedsPerson } from "./needs-person.ts";
import type { Route, Routes } from "./routes.ts";
import { makeTransport } from "./transport.ts";
import { judge } from "./verdict.ts";

/** The server as an edge sees it: every call goes out with the identity of this installation. */
export interface Upstream {
  enrollment: Client<typeof EnrollmentService>;
  heartbeat: Client<typeof HeartbeatService>;
  config: Client<typeof ConfigService>;
  credential: Client<typeof CredentialService>;
  metrics: Client<typeof MetricsService>;
  work: Client<typeof WorkService>;
  /** Makes one small call by a route that need not be the present one; rejects if that fails. */
  probe(route: Route, signal: AbortSignal): Promise<void>;
}

/**
 * Adds the credential to every call. An answer confirms a credential that was new; a refusal falls
 * back to the one before it, for the next attempt.
 */
function authenticate(identity: Identity): Interceptor {
  return (next) => async (request) => {
    const { credential } = identity;
    if (credential === undefined || request.service === EnrollmentService) return next(request);
    request.header.set("authorization", `Bearer ${credential}`);
    try {
      const response = await next(request);
      await identity.confirm(credential);
      return response;
    } catch (error) {
      if (judge(error).action === "other_credential") await identity.giveUp(credential);
      throw error;
    }
  };
}

/** Makes each call by the present route, and tells the routes how it went. */
function routed(routes: Routes, transportOf: (route: Route) => Transport): Transport {
  return {
    async unary(method, signal, ...rest) {
      const { present } = routes;
      try {
        const answer = await transportOf(present).unary(method, signal, ...rest);
        routes.worked(present);
        return answer;
      } catch (error) {
        if (!signal?.aborted) routes.failed(present, judge(error));
        throw error;
      }
    },
    // Edges make no streaming calls.
    stream: (...call) => transportOf(routes.present).stream(...call),
  };
}

export function readAuthority(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new NeedsPerson(`--ca: ${(error as Error).message}`);
  }
  try {
    new X509Certificate(text);
  } catch {
    throw new NeedsPerson(`--ca: ${file} holds no certificate in PEM form`);
  }
  return text;
}

export function makeUpstream(options: {
  routes: Routes;
  /** A private authority to trust, as a PEM file; the system's when undefined. */
  caFile: string | undefined;
  /** An HTTP proxy on the way to the server itself. */
  proxy?: string | undefined;
  /** The keys of collectors, which are then trusted by nothing else. */
  pins: readonly Fingerprint[];
  identity: Identity;
}): Upstream {
  const { routes, caFile, proxy, pins, identity } = options;
  const ca = caFile === undefined ? undefined : readAuthority(caFile);
  const interceptors = [authenticate(identity)];
  const transports = new Map(
    routes.all.map((route) => [route, makeTransport(route, { ca, proxy, pins }, interceptors)]),
  );
  const transportOf = (route: Route): Transport => {
    const transport = transports.get(route);
    if (!transport) throw new Error(`${route.url} is none of the routes.`);
    return transport;
  };
  const transport = routed(routes, transportOf);
  return {
    enrollment: createClient(EnrollmentService, transport),
    heartbeat: createClient(HeartbeatService, transport),
    config: createClient(ConfigService, transport),
    credential: createClient(CredentialService, transport),
    metrics: createClient(MetricsService, transport),
    work: createClient(WorkService, transport),
    async probe(route, signal) {
      await createClient(ConfigService, transportOf(route)).getConfig({}, { signal });
    },
  };
}
