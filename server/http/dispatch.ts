import type { DescService } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code, type ContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { errorBody } from "../../lib/http/error-body.ts";
import type { Log } from "../../lib/log.ts";
import { answer, troubleInside } from "./answer.ts";
import { readAuthority } from "./authority.ts";
import { type Exchange, isGone, isHttp2, type Manner } from "./exchange.ts";
import type { Handler } from "./exchanges.ts";
import { blameSender } from "./misread.ts";

/** Something that is not in the contract: a page, a probe. */
export interface PlainRoute {
  path: string;
  /** "GET" includes HEAD. */
  method: "GET" | "POST";
  /** When given, requests of any other content type go to the contract's own handler of the path. */
  contentType?: string;
  handle(exchange: Exchange): Promise<void> | void;
}

const MANNERS: Record<UniversalHandler["method"]["methodKind"], Manner> = {
  unary: "call",
  server_streaming: "watch",
  client_streaming: "conversation",
  bidi_streaming: "conversation",
};

const CONTENT_TYPES =
  "application/json, application/proto, application/grpc or application/grpc-web";

/** Finds who answers a request, and answers in words whatever nobody can. */
export function makeDispatch(parts: {
  handlers: readonly UniversalHandler[];
  plain: readonly PlainRoute[];
  /** Asked about requests that nobody else answers; false when it does not answer either. */
  elsewhere?: (exchange: Exchange) => boolean;
  contextValues: (exchange: Exchange) => ContextValues;
  /** Of a request's body. */
  mostBytes: (service: DescService) => number;
  log: Log;
}): Handler {
  const { log, contextValues } = parts;
  const handlers = new Map(parts.handlers.map((handler) => [handler.requestPath, handler]));
  const plain = Map.groupBy(parts.plain, ({ path }) => path);

  const call = async (exchange: Exchange, handler: UniversalHandler) => {
    const { request, response } = exchange;
    exchange.manner = MANNERS[handler.method.methodKind];
    const universal = universalRequestFromNodeRequest(
      request,
      response,
      undefined,
      contextValues(exchange),
    );
    // Kept from the handler, which would set aside as much memory as it promises.
    universal.header.delete("content-length");
    const body = exchange.body(parts.mostBytes(handler.service));
    const answered = await blameSender(await handler({ ...universal, body }));
    await universalResponseToNodeResponse(answered, response);
  };

  const run = (exchange: Exchange, work: () => Promise<void> | void) => {
    const answering = async () => work();
    answering().catch((error: unknown) => {
      const { requestId } = exchange.origin;
      if (exchange.response.headersSent || isGone(exchange)) {
        log.debug({ requestId, err: error }, "a client went away before its answer");
        exchange.response.destroy();
        return;
      }
      log.error({ requestId, err: error }, "a request could not be answered");
      answer(exchange.response, 500, troubleInside(requestId));
    });
  };

  return (exchange) => {
    const { request, response } = exchange;
    const authority = readAuthority(request);
    if (authority.problem !== undefined) {
      const close = isHttp2(request) ? {} : { connection: "close" };
      return answer(response, 400, errorBody(Code.InvalidArgument, authority.problem), close);
    }
    request.headers.host = authority.value;

    const { method = "" } = request;
    const path = pathOf(exchange);
    const contentType = request.headers["content-type"] ?? "";
    const pages = plain.get(path) ?? [];
    const page = pages.find(
      (route) =>
        (route.method === method || (route.method === "GET" && method === "HEAD")) &&
        (route.contentType === undefined || route.contentType === contentType),
    );
    if (page) return run(exchange, () => page.handle(exchange));

    const handler = handlers.get(path);
    if (!handler && pages.length > 0) return notAllowed(exchange, methodsOf(pages));
    if (!handler) {
      if (parts.elsewhere?.(exchange)) return;
      return answer(response, 404, nowhere(path, parts));
    }
    if (!handler.allowedMethods.includes(method)) {
      return notAllowed(exchange, handler.allowedMethods);
    }
    if (method === "POST" && !handler.supportedContentType(contentType)) {
      const sent = contentType === "" ? "none was sent" : `not ${JSON.stringify(contentType)}`;
      const words = `this call takes the content-type ${CONTENT_TYPES}; ${sent}`;
      return answer(response, 415, errorBody(Code.InvalidArgument, words), {
        "accept-post":
          "application/json, application/proto, application/grpc, application/grpc-web",
      });
    }
    if (handler.method.methodKind === "bidi_streaming" && !isHttp2(request)) {
      const words = "a stream in both directions takes HTTP/2";
      return answer(response, 505, errorBody(Code.Unimplemented, words), { connection: "close" });
    }
    if (method === "GET" && !isReadableQuery(request.url ?? "")) {
      const words = 'the parameter "message" is not in base64, as "base64=1" says';
      return answer(response, 400, errorBody(Code.InvalidArgument, words));
    }
    run(exchange, () => call(exchange, handler));
  };
}

/** The path that is asked for, in the form that a proxy would use as well. */
function pathOf({ request }: Exchange): string {
  const { url = "" } = request;
  if (!url.startsWith("/") && URL.canParse(url)) {
    const { pathname, search } = new URL(url);
    request.url = pathname + search;
  }
  return request.url?.split("?", 1)[0] ?? "";
}

function isReadableQuery(url: string): boolean {
  const query = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  if (query.get("base64") !== "1") return true;
  try {
    base64Decode(query.get("message") ?? "");
    return true;
  } catch {
    return false;
  }
}

function notAllowed({ response, request }: Exchange, methods: readonly string[]): void {
  const words = `${request.method} is not served here, only ${methods.join(" and ")}`;
  answer(response, 405, errorBody(Code.Unimplemented, words), { allow: methods.join(", ") });
}

const methodsOf = (pages: readonly PlainRoute[]) => [
  ...new Set(pages.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]))),
];

/** What to say where nothing is: the paths worth trying. */
function nowhere(
  path: string,
  parts: { handlers: readonly UniversalHandler[]; plain: readonly PlainRoute[] },
) {
  const service = path.split("/")[1] ?? "";
  const methods = parts.handlers.filter((handler) => handler.service.typeName === service);
  if (methods.length > 0) {
    return errorBody(Code.Unimplemented, `${service} has no such method`, {
      paths: methods.map((handler) => handler.requestPath),
    });
  }
  const services = new Set(parts.handlers.map((handler) => handler.service.typeName));
  return errorBody(Code.Unimplemented, "there is nothing at this path", {
    paths: [
      ...parts.plain.flatMap(({ path, contentType }) =>
        contentType || path.startsWith("/assets/") ? [] : [path],
      ),
      ...[...services].map((name) => `/${name}/{method}`),
    ],
  });
}
