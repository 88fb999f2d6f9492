import net, { isIPv6 } from "node:net";
import tls from "node:tls";
import { trusting } from "./authorities.ts";
import { connectionFailed, EgressFailure, outOfTime, tlsFailed } from "./failure.ts";
import { hostAndPort, readHost, serverName } from "./host.ts";
import { type Lookup, makeLookup } from "./lookup.ts";
import type { EgressPolicy } from "./policy.ts";

/** An address that does not answer is left for the next one of its host after this long. */
const ATTEMPT_MS = 500;

export interface TlsOptions {
  /** Authorities to trust besides those of this system and of Node, in PEM form. */
  ca?: string | undefined;
  /** The name that the certificate must be for and that is asked for, in place of the host. */
  serverName?: string | undefined;
  /** Connect even to a certificate that does not hold; `tls.authorizationError` of the socket says why. */
  tolerant?: boolean;
  alpn?: string[];
}

/**
 * Hears of each phase at its start: "dns", "connect", "tls", and of HTTP "first_byte" and "transfer". A
 * phase lasts until the next one, or the end.
 */
export type Trace = (phase: string, doing: string) => void;

export interface DialOptions {
  /** Ends the attempt, and closes the connection whenever it aborts later. */
  signal: AbortSignal;
  tls?: TlsOptions | undefined;
  trace?: Trace | undefined;
}

export interface Connection {
  socket: net.Socket;
  /** The address that was checked and connected to. */
  address: string;
}

export interface Dialler {
  /**
   * The addresses of a host that may be connected to. Throws EgressFailure when there are none; a
   * name that leads to permitted and to forbidden addresses leads to the permitted ones.
   */
  resolve(host: string, signal: AbortSignal): Promise<[string, ...string[]]>;
  /** Connects to a permitted address of the host, and to no other. Throws EgressFailure. */
  dial(host: string, port: number, options: DialOptions): Promise<Connection>;
}

/** The one way out: every connection that somebody else decides about is made by a dialler. */
export function makeDialler(policy: EgressPolicy, lookup: Lookup = makeLookup()): Dialler {
  const resolve = async (text: string, signal: AbortSignal): Promise<[string, ...string[]]> => {
    const host = readHost(text);
    const addresses = await lookup(host, signal);
    const refusals = addresses.map((address) => policy.refusal(address));
    const [first, ...others] = addresses.filter((_, index) => refusals[index] === undefined);
    if (first !== undefined) return [first, ...others];
    const [address = "no address"] = addresses;
    const subject = address === host ? host : `${host} (${address})`;
    throw new EgressFailure("refused", `${subject} ${refusals[0] ?? "is known"}`);
  };

  return {
    resolve,
    async dial(host, port, { signal, tls: tlsOptions, trace }) {
      trace?.("dns", `looking up ${host}`);
      const addresses = await resolve(host, signal);
      const { socket, address } = await connectToOneOf(addresses, port, { signal, trace });
      // From here on the connection ends with the signal, whatever it is used for.
      const end = () => socket.destroy();
      signal.addEventListener("abort", end, { once: true });
      socket.once("close", () => signal.removeEventListener("abort", end));
      if (!tlsOptions) return { socket, address };
      trace?.("tls", `agreeing on TLS with ${hostAndPort(host, port)}`);
      const where = hostAndPort(host, port);
      return { socket: await secure(socket, readHost(host), where, tlsOptions, signal), address };
    },
  };
}

async function connectToOneOf(
  addresses: [string, ...string[]],
  port: number,
  { signal, trace }: Pick<DialOptions, "signal" | "trace">,
) {
  let failure: unknown;
  for (const [index, address] of addresses.entries()) {
    const withinMs = index === addresses.length - 1 ? undefined : ATTEMPT_MS;
    trace?.("connect", `connecting to ${hostAndPort(address, port)}`);
    try {
      return { address, socket: await connect(address, port, signal, withinMs) };
    } catch (error) {
      failure = error;
      if (signal.aborted) break;
    }
  }
  throw failure;
}

/** To an address and never a name: what was checked is what is connected to. */
function connect(address: string, port: number, signal: AbortSignal, withinMs?: number) {
  const where = hostAndPort(address, port);
  return new Promise<net.Socket>((resolve, reject) => {
    if (signal.aborted) return reject(outOfTime(where, "connecting"));
    const socket = net.connect({ host: address, port, family: isIPv6(address) ? 6 : 4 });
    socket.setNoDelay(true);
    // An error that comes while nobody listens must not end the process.
    socket.on("error", () => {});
    const settle = (error?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", expire);
      socket.off("error", fail);
      if (!error) return resolve(socket);
      socket.destroy();
      reject(error);
    };
    const expire = () => settle(outOfTime(where, "connecting"));
    const fail = (error: Error) => settle(connectionFailed(where, error));
    const timer = withinMs === undefined ? undefined : setTimeout(expire, withinMs);
    signal.addEventListener("abort", expire, { once: true });
    socket.once("error", fail);
    socket.once("connect", () => settle());
  });
}

function secure(
  plain: net.Socket,
  host: string,
  where: string,
  options: TlsOptions,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const name = options.serverName ?? serverName(host);
    const socket = tls.connect({
      socket: plain,
      // For an address, the certificate is compared with it.
      host,
      ...(name === undefined ? {} : { servername: name }),
      secureContext: trusting(options.ca),
      ...(options.alpn ? { ALPNProtocols: options.alpn } : {}),
      rejectUnauthorized: !options.tolerant,
    });
    socket.on("error", () => {});
    const settle = (error?: EgressFailure) => {
      signal.removeEventListener("abort", expire);
      socket.off("error", fail);
      socket.off("close", close);
      if (!error) return resolve(socket);
      socket.destroy();
      reject(error);
    };
    const expire = () => settle(outOfTime(where, "agreeing on TLS"));
    const fail = (error: Error) => settle(tlsFailed(where, error));
    const close = () =>
      settle(new EgressFailure("tls", `${where} closed the connection instead of speaking TLS`));
    signal.addEventListener("abort", expire, { once: true });
    socket.once("error", fail);
    socket.once("close", close);
    socket.once("secureConnect", () => settle());
  });
}
