import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { AccessSchema, Caller as CallerKind, Role } from "../gen/lumetry/access/v1/access_pb.js";
import { version } from "../lib/version.ts";
import type { Gate } from "./access/gate.ts";
import { type Console, wantsPage } from "./console.ts";
import { answer, answerError } from "./http/answer.ts";
import type { PlainRoute } from "./http/dispatch.ts";
import type { Metrics } from "./metrics.ts";
import type { Readiness } from "./readiness.ts";

/** Counts of a whole deployment are its owner's. */
const METRICS_RULE = create(AccessSchema, { callers: [CallerKind.PERSON], role: Role.OWNER });

const FRONT_PAGE = `Lumetry ${version}: a monitoring platform for machines that nobody can reach from outside.

This is a server. With a browser, this address is its console. It speaks Connect, gRPC, gRPC-Web and JSON on this one port; for example:

  lumetry --help                                  the command line; README.md has the commands
  buf curl --list-services <this address>         everything that can be called

  /healthz   the process is up
  /readyz    it can do its work
  /metrics   counts for Prometheus, with an owner's credential
`;

/** What is not in the contract: for probes, for Prometheus, and for whoever opens the address. */
export function makePlainRoutes(parts: {
  readiness: Readiness;
  metrics: Metrics;
  gate: Gate;
  console: Console | undefined;
}): PlainRoute[] {
  const { readiness, metrics, gate, console } = parts;
  return [
    ...(console?.assets ?? []),
    {
      path: "/",
      method: "GET",
      handle(exchange) {
        if (console && wantsPage(exchange)) console.page(exchange);
        else answer(exchange.response, 200, FRONT_PAGE, { vary: "accept" });
      },
    },
    {
      path: "/healthz",
      method: "GET",
      handle: ({ response }) => answer(response, 200, { status: "up" }),
    },
    {
      path: "/readyz",
      method: "GET",
      async handle({ response }) {
        const reasons = await readiness.reasons();
        if (reasons.length === 0) answer(response, 200, { status: "ready" });
        else answer(response, 503, { status: "not ready", reasons });
      },
    },
    {
      path: "/metrics",
      method: "GET",
      async handle(exchange) {
        const { request, response, origin } = exchange;
        const authorization = request.headers.authorization;
        const headers = new Headers(authorization === undefined ? {} : { authorization });
        try {
          await gate.admit(METRICS_RULE, headers, origin);
        } catch (error) {
          if (!(error instanceof ConnectError)) throw error;
          return answerError(exchange, error);
        }
        answer(response, 200, await metrics.text(), { "content-type": metrics.contentType });
      },
    },
  ];
}
