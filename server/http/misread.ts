import { Code } from "@connectrpc/connect";
import {
  createAsyncIterable,
  encodeEnvelope,
  readAllBytes,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { codeToHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";

/** How the framework words what is wrong with bytes that it calls an internal error. */
const UNREADABLE = /^(parse binary: |received compressed envelope)/;
const TRAILER_FLAG = 0x80;

/**
 * A request that cannot be read is its sender's mistake, for which trying again is of no use; the
 * framework says INTERNAL of the binary form. Gives INVALID_ARGUMENT, as for JSON, in each protocol.
 */
export async function blameSender(
  answered: UniversalServerResponse,
): Promise<UniversalServerResponse> {
  const { status, header, trailer, body } = answered;
  if (trailer) {
    blame(trailer);
    return answered;
  }
  if (!body) return answered;
  const contentType = header?.get("content-type") ?? "";
  if (contentType.startsWith("application/grpc-web")) return { ...answered, body: blameWeb(body) };
  if (status !== codeToHttpStatus(Code.Internal)) return answered;
  return blameConnect(answered, body);
}

function blame(trailer: Headers): boolean {
  const isUnreadable =
    trailer.get("grpc-status") === String(Code.Internal) &&
    UNREADABLE.test(decodeURIComponent(trailer.get("grpc-message") ?? ""));
  if (isUnreadable) trailer.set("grpc-status", String(Code.InvalidArgument));
  return isUnreadable;
}

/** In gRPC-Web the trailers are the last message of the body; of a refusal, the only one. */
async function* blameWeb(body: AsyncIterable<Uint8Array>) {
  let isFirst = true;
  for await (const chunk of body) {
    yield isFirst && chunk[0] === TRAILER_FLAG ? blameWebTrailer(chunk) : chunk;
    isFirst = false;
  }
}

function blameWebTrailer(message: Uint8Array): Uint8Array {
  const lines = Buffer.from(message.subarray(5)).toString("latin1").split("\r\n");
  const trailer = new Headers();
  for (const line of lines.filter(Boolean)) {
    const colon = line.indexOf(":");
    trailer.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  if (!blame(trailer)) return message;
  const text = [...trailer].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return encodeEnvelope(TRAILER_FLAG, new TextEncoder().encode(text));
}

async function blameConnect(
  answered: UniversalServerResponse,
  body: AsyncIterable<Uint8Array>,
): Promise<UniversalServerResponse> {
  const bytes = await readAllBytes(body, Number.MAX_SAFE_INTEGER);
  const again = { ...answered, body: createAsyncIterable<Uint8Array>([bytes]) };
  if (answered.header?.has("content-encoding")) return again;
  const error: { code?: string; message?: string } = JSON.parse(new TextDecoder().decode(bytes));
  if (!UNREADABLE.test(error.message ?? "")) return again;
  const blamed = Buffer.from(
    JSON.stringify({ ...error, code: codeToString(Code.InvalidArgument) }),
  );
  const header = new Headers(answered.header);
  header.set("content-length", String(blamed.length));
  const status = codeToHttpStatus(Code.InvalidArgument);
  return { ...answered, status, header, body: createAsyncIterable<Uint8Array>([blamed]) };
}
