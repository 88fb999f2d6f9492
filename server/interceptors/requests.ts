import { Code, ConnectError, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Gate } from "../access/gate.ts";
import { type CallContext, callerOf, originOf } from "../context.ts";
import { problem, Reason } from "../problem.ts";

/** What the database says when it is away, restarting, too busy, out of room or failing over. */
const AWAY = /^(08|25006|25P03|53|57014|57P0|58)|ECONNREFUSED|ECONNRESET|ENOENT|EPIPE/;
const AWAY_WORDS =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/;

/** PostgreSQL's words for a text that it cannot hold, as such or in JSON, and for too large a number. */
const UNSTORABLE = new Set(["22021", "22P02", "22P05", "22003"]);

function isDatabaseAway(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return AWAY.test(String(code ?? "")) || AWAY_WORDS.test(String(message ?? ""));
}

/** What a client is told of something thrown, and whether it is the server's own trouble. */
function judge(thrown: unknown, requestId: string, signal?: AbortSignal) {
  if (thrown instanceof ConnectError) return { error: thrown, isTrouble: false };
  if (signal?.aborted) {
    // Its reason tells a client that left from a deadline and from a server that stops.
    const error =
      signal.reason instanceof ConnectError
        ? signal.reason
        : new ConnectError("the call was given up", Code.Canceled);
    return { error, isTrouble: false };
  }
  if (UNSTORABLE.has(String((thrown as { code?: unknown }).code))) {
    const words =
      "a text holds the NUL character U+0000 or half a character, or a number is too large";
    const error = new ConnectError(words, Code.InvalidArgument);
    return { error, isTrouble: false };
  }
  if (isDatabaseAway(thrown)) {
    const words = "the database cannot be reached; try again";
    return { error: problem(Code.Unavailable, Reason.OVERLOADED, words, 1000), isTrouble: true };
  }
  const words = `something went wrong inside the server; its log has more under request id ${requestId}`;
  return { error: new ConnectError(words, Code.Internal), isTrouble: true };
}

/** Keeps the books of calls, and decides what clients are told of what goes wrong. */
export interface Accounts {
  /**
   * Carries out a call and writes one line on it. Whatever is thrown becomes an error for the
   * client; what is not meant for clients reaches only the log, under the request id.
   */
  keep<Result>(call: CallContext, work: () => Promise<Result>): Promise<Result>;
  /** The same for what comes before a call is carried out: only its failure is worth a line. */
  keepRefusal<Result>(call: CallContext, work: () => Promise<Result>): Promise<Result>;
}

export function makeAccounts(parts: {
  log: Log;
  clock: Clock;
  /** Told of each call, by its full name, with its Connect code or "ok". */
  onDone: (method: string, code: string, seconds: number) => void;
}): Accounts {
  const { log, clock, onDone } = parts;

  const write = (call: CallContext, begun: number, code: string, trouble?: unknown) => {
    const ms = clock.monotonic() - begun;
    const { parent, name } = call.method;
    const method = `${parent.typeName}/${name}`;
    onDone(method, code, ms / 1000);
    const { requestId, address } = originOf(call);
    const caller = callerOf(call).kind;
    const line = { requestId, method, code, ms: Math.round(ms), address, caller };
    if (trouble) log.error({ ...line, err: trouble }, "a call failed inside the server");
    else log.debug(line, "call");
  };

  const attempt = async <Result>(
    call: CallContext,
    work: () => Promise<Result>,
    onSuccess: (begun: number) => void,
  ) => {
    const begun = clock.monotonic();
    try {
      const result = await work();
      onSuccess(begun);
      return result;
    } catch (thrown) {
      const { error, isTrouble } = judge(thrown, originOf(call).requestId, call.signal);
      write(call, begun, Code[error.code], isTrouble && thrown);
      throw error;
    }
  };

  return {
    keep: (call, work) => attempt(call, work, (begun) => write(call, begun, "ok")),
    keepRefusal: (call, work) => attempt(call, work, () => {}),
  };
}

/** Keeps the books of the calls that the general stack carries out. */
export function handleRequests(accounts: Accounts): Interceptor {
  return (next) => (request) => {
    const { method, header: requestHeader, contextValues: values, signal } = request;
    return accounts.keep({ method, requestHeader, values, signal }, () => next(request));
  };
}

/** The same for its gate, which stands before all interceptors. */
export function handleRefusals(accounts: Accounts, gate: Gate) {
  return (context: HandlerContext) => accounts.keepRefusal(context, () => gate.admitCall(context));
}
