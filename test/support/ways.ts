import { execFile } from "node:child_process";
import path from "node:path";
import {
  create,
  type DescMethodUnary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import type { TestServer } from "./server.ts";
import type { TransportOptions } from "./transports.ts";

/** How a call ended, in the terms of the Connect protocol, whatever it was made over. */
export type Outcome =
  | { value: JsonValue }
  | { code: string; message: string; details: { type: string; value: string }[] };

/** What is called: a server, or a relay before it. */
export interface Callee extends Pick<TestServer, "url" | "caFile" | "transport"> {
  /** Whether it does not tell what can be called. */
  isMute?: boolean;
}

/** One way of calling the server. */
export interface Way {
  name: string;
  /** Whether it can only make calls that change nothing. */
  readsOnly?: boolean;
  /** A program that is started for each call. */
  isTool?: boolean;
  call(method: DescMethodUnary, input: JsonObject, token: string): Promise<Outcome>;
}

/** Every protocol, version of HTTP and encoding; then the command line tools that are here. */
export async function allWays(server: Callee): Promise<Way[]> {
  const ways: Way[] = [];
  for (const protocol of ["connect", "grpc", "grpc-web"] as const) {
    for (const httpVersion of ["1.1", "2"] as const) {
      if (protocol === "grpc" && httpVersion === "1.1") continue; // gRPC knows HTTP/2 only
      for (const json of [false, true]) {
        ways.push(byLibrary(server, { protocol, httpVersion, json }));
      }
    }
  }
  for (const protocol of ["connect", "grpc", "grpcweb"]) ways.push(byBuf(server, protocol));
  if ((await run("curl", ["--version"])).code === 0) {
    const http2 = server.caFile ? "--http2" : "--http2-prior-knowledge";
    for (const version of ["--http1.1", http2]) {
      ways.push(byCurl(server, version), byCurlGet(server, version));
    }
  }
  return ways;
}

function byLibrary(server: Callee, options: TransportOptions): Way {
  const { protocol, httpVersion, json } = options;
  return {
    name: `${protocol} over HTTP/${httpVersion} in ${json ? "JSON" : "binary"}`,
    async call(method, input, token) {
      const transport = server.transport(token ? { ...options, token } : options);
      const message = fromJson(method.input, input, { ignoreUnknownFields: true });
      try {
        const answer = await transport.unary(method, undefined, 20_000, undefined, message);
        return { value: toJson(method.output, answer.message) };
      } catch (thrown) {
        const error = ConnectError.from(thrown);
        return {
          code: spell(error.code),
          message: error.rawMessage,
          details: error.details.map(toDetail),
        };
      }
    },
  };
}

const spell = (code: Code) =>
  (Code[code] ?? "").replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

function toDetail(detail: ConnectError["details"][number]) {
  const { type, value } =
    "desc" in detail
      ? {
          type: detail.desc.typeName,
          value: toBinary(detail.desc, create(detail.desc, detail.value)),
        }
      : detail;
  return { type, value: base64Encode(value, "std_raw") };
}

const pathOf = (method: DescMethodUnary) => `/${method.parent.typeName}/${method.name}`;
const authorization = (token: string) => (token ? ["-H", `Authorization: Bearer ${token}`] : []);

const trust = ({ caFile }: Callee) => (caFile ? ["--cacert", caFile] : []);
const root = path.join(import.meta.dirname, "../..");
const forBuf = (server: Callee) => [
  ...(server.caFile ? trust(server) : ["--http2-prior-knowledge"]),
  ...(server.isMute ? ["--schema", root] : []),
];

function byBuf(server: Callee, protocol: string): Way {
  const buf = path.join(import.meta.dirname, "../../node_modules/.bin/buf");
  return {
    name: `buf curl by ${protocol}`,
    isTool: true,
    async call(method, input, token) {
      const { code, stdout, stderr } = await run(buf, [
        ...["curl", "--protocol", protocol, ...forBuf(server)],
        ...[...authorization(token), "-d", JSON.stringify(input), server.url + pathOf(method)],
      ]);
      return code === 0 ? { value: JSON.parse(stdout) } : toOutcome(JSON.parse(stderr));
    },
  };
}

function byCurl(server: Callee, version: string): Way {
  return {
    name: `curl ${version}`,
    isTool: true,
    async call(method, input, token) {
      const { stdout } = await run("curl", [
        ...["-s", version, ...trust(server), ...authorization(token)],
        ...["-H", "Content-Type: application/json", "-d", JSON.stringify(input)],
        server.url + pathOf(method),
      ]);
      return toOutcome(JSON.parse(stdout));
    },
  };
}

function byCurlGet(server: Callee, version: string): Way {
  return {
    name: `curl ${version} --get`,
    readsOnly: true,
    isTool: true,
    async call(method, input, token) {
      const { stdout } = await run("curl", [
        ...["-s", version, ...trust(server), ...authorization(token)],
        ...["--get", "-d", "connect=v1", "-d", "encoding=json"],
        ...["--data-urlencode", `message=${JSON.stringify(input)}`, server.url + pathOf(method)],
      ]);
      return toOutcome(JSON.parse(stdout));
    },
  };
}

/** An answer, or the JSON of an error. */
function toOutcome(body: JsonObject): Outcome {
  if (typeof body.code !== "string") return { value: body };
  const details = (body.details ?? []) as { type: string; value: string }[];
  return {
    code: body.code,
    message: String(body.message),
    details: details.map(({ type, value }) => ({
      type: type.replace(/^type.googleapis.com\//, ""),
      value: value.replace(/=+$/, ""),
    })),
  };
}

function run(command: string, args: string[]) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(command, args, (error, stdout, stderr) => {
      resolve({ code: error ? (child.exitCode ?? -1) : 0, stdout, stderr });
    });
  });
}
