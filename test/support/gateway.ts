import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { DescMethod, DescMethodUnary, DescService, MessageShape } from "@bufbuild/protobuf";
import { ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ConfigService } from "../../gen/lumetry/edge/v1/config_service_pb.js";
import { CredentialService } from "../../gen/lumetry/edge/v1/credential_service_pb.js";
import { EnrollmentService } from "../../gen/lumetry/edge/v1/enrollment_service_pb.js";
import { HeartbeatService } from "../../gen/lumetry/edge/v1/heartbeat_service_pb.js";
import { MetricsService } from "../../gen/lumetry/ingest/v1/metrics_service_pb.js";
import type { AnyServer } from "./server.ts";

/** One call on its way through a gateway. */
export interface PassingCall<M extends DescMethodUnary> {
  request: MessageShape<M["input"]>;
  headers: Headers;
  /** Has the real server answer it. */
  pass(): Promise<MessageShape<M["output"]>>;
}

export type Toll<M extends DescMethodUnary> = (
  call: PassingCall<M>,
) => Promise<MessageShape<M["output"]>>;

/**
 * Stands in front of a server, without TLS, and passes a collector's calls on. A test
 * may put itself in the way of a method: see, change or replace its answers, or do something in
 * between.
 */
export interface Gateway extends AsyncDisposable {
  readonly url: string;
  /** Until it is put back by the function returned. */
  intercept<M extends DescMethodUnary>(method: M, toll: Toll<M>): () => void;
}

const SERVICES: DescService[] = [
  ConfigService,
  CredentialService,
  EnrollmentService,
  HeartbeatService,
  MetricsService,
];

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === "unary";

export async function startGateway(server: AnyServer): Promise<Gateway> {
  const transport = server.transport();
  const tolls = new Map<string, Toll<DescMethodUnary>>();

  const routes = (router: ConnectRouter) => {
    for (const method of SERVICES.flatMap(({ methods }) => methods).filter(isUnary)) {
      router.rpc(method, async (request, context) => {
        const authorization = context.requestHeader.get("authorization");
        const headers = new Headers(authorization === null ? {} : { authorization });
        // Carried to its end whether or not the caller still waits.
        const pass = async () =>
          (await transport.unary(method, undefined, undefined, headers, request)).message;
        try {
          const toll = tolls.get(method.parent.typeName + method.name);
          return await (toll ? toll({ request, headers, pass }) : pass());
        } catch (error) {
          const { message, code, details } = ConnectError.from(error);
          const again = new ConnectError(message.replace(/^\[\w+\] /, ""), code);
          again.details = details;
          throw again;
        }
      });
    }
  };

  const listener = http.createServer(connectNodeAdapter({ routes }));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    intercept(method, toll) {
      const name = method.parent.typeName + method.name;
      tolls.set(name, toll as unknown as Toll<DescMethodUnary>);
      return () => void tolls.delete(name);
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      listener.closeAllConnections();
      await once(listener, "close");
    },
  };
}
