import { Code, ConnectError } from "@connectrpc/connect";
import { problem, Reason } from "../problem.ts";
import { isHttp2, type Manner, type Request } from "./exchange.ts";

/** Flags and a length before each message of a stream. */
const ENVELOPE_BYTES = 5;
/** What puts its messages into envelopes. */
const ENVELOPED = /^application\/(grpc|connect)/i;

interface BodyLimits {
  mostBytes: number;
  bodyMs: number;
}

/**
 * Reads a body in pieces that cost no more than their bytes: a call's whole, a conversation's
 * message by message; a sender of single bytes gains nothing. Throws a ConnectError when it grows
 * too large, does not arrive in time, or breaks off.
 */
export async function* readBody(
  request: Request,
  manner: Manner,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (manner !== "conversation") {
    const whole = await readWhole(request, limits);
    if (whole.length > 0) yield whole;
    return;
  }
  const { bodyMs } = limits;
  const gathered = gather(request, limits);
  const chunks: AsyncIterator<Uint8Array> = request.iterator({ destroyOnReturn: false });
  const timer = setTimeout(() => fail(late(bodyMs)), bodyMs);
  let fail: (error: ConnectError) => void = () => {};
  /** A promise of its own for each piece: one for all would hold on to every race it was in. */
  const next = () =>
    new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
      fail = reject;
      chunks.next().then(resolve, reject);
    });
  try {
    for (;;) {
      const { done, value } = await next();
      if (done) break;
      gathered.add(value);
      const messages = gathered.takeMessages();
      if (messages.length === 0) continue;
      yield messages;
      timer.refresh();
    }
  } finally {
    clearTimeout(timer);
    // What a body that came too late was waiting for settles with the stream.
    chunks.return?.().catch(() => {});
  }
  if (isGivenUp(request)) throw givenUp();
  const rest = gathered.take();
  if (rest.length > 0) yield rest;
}

/**
 * Whether all of a body is here, so that reading it waits for nobody: what is small comes with its
 * head. Node tells the end of it only after whoever waits for the head has had their turn.
 */
const isWhole = (request: Request): boolean =>
  !isHttp2(request) &&
  !request.destroyed &&
  (request.complete || request.headers["content-length"] === String(request.readableLength));

/** Reads a body to its end. Rejects as readBody throws. */
export function readWhole(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  if (isWhole(request)) return readAtOnce(request, limits);
  return new Promise((resolve, reject) => {
    const gathered = gather(request, limits);
    const settle = (error?: unknown) => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onClose);
      if (error === undefined) return resolve(gathered.take());
      request.pause();
      reject(error);
    };
    const onData = (chunk: Uint8Array) => {
      try {
        gathered.add(chunk);
      } catch (error) {
        settle(error);
      }
    };
    const onEnd = () => settle(isGivenUp(request) ? givenUp() : undefined);
    const onClose = () => {
      if (!request.readableEnded && (!isHttp2(request) || isGivenUp(request))) settle(givenUp());
    };
    const timer = setTimeout(() => settle(late(limits.bodyMs)), limits.bodyMs);
    request.on("data", onData).on("end", onEnd).on("close", onClose);
    if (request.destroyed) onClose();
  });
}

async function readAtOnce(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const gathered = gather(request, limits);
  const bytes: Buffer | null = request.read();
  if (bytes) gathered.add(bytes);
  // Nothing more comes but the end.
  request.resume();
  return gathered.take();
}

function gather(request: Request, { mostBytes }: BodyLimits) {
  if (Number(request.headers["content-length"] ?? 0) > mostBytes) throw tooLarge(mostBytes);
  const isEnveloped = ENVELOPED.test(request.headers["content-type"] ?? "");
  return makeGathered(mostBytes, isEnveloped ? ENVELOPE_BYTES : 0);
}

/** A stream of HTTP/2 that was reset before it was read looks like an empty body. */
const isGivenUp = (request: Request) =>
  isHttp2(request) && (request.aborted || request.stream.aborted);

const givenUp = () => new ConnectError("the request was given up halfway", Code.Canceled);

const tooLarge = (mostBytes: number) =>
  problem(
    Code.ResourceExhausted,
    Reason.TOO_LARGE,
    `the request takes more than ${mostBytes} bytes; split it`,
  );

/** Bytes in one piece, however many they came in. */
function makeGathered(mostBytes: number, envelopeBytes: number) {
  let bytes: Uint8Array = new Uint8Array(0);
  let length = 0;

  const take = (count: number) => {
    const taken = bytes.subarray(0, count);
    bytes = bytes.subarray(count, length);
    length -= count;
    return taken;
  };

  return {
    add(chunk: Uint8Array) {
      const total = length + chunk.length;
      if (total > mostBytes + envelopeBytes) throw tooLarge(mostBytes);
      if (length === 0) bytes = chunk;
      else {
        if (total > bytes.length) {
          const grown = Buffer.allocUnsafe(Math.max(total, 2 * bytes.length));
          grown.set(bytes.subarray(0, length));
          bytes = grown;
        }
        bytes.set(chunk, length);
      }
      length = total;
    },
    take: () => take(length),
    /** All messages that are whole, with their envelopes. */
    takeMessages() {
      let end = 0;
      const view = new DataView(bytes.buffer, bytes.byteOffset, length);
      while (end + ENVELOPE_BYTES <= length) {
        const next = end + ENVELOPE_BYTES + view.getUint32(end + 1);
        if (next > length) break;
        end = next;
      }
      return take(end);
    },
  };
}

const late = (ms: number) =>
  new ConnectError(
    `the request's body did not arrive within ${ms / 1000} s`,
    Code.DeadlineExceeded,
  );
