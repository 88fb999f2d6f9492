import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

/** A connection on which a test may write whatever it likes, and see what comes back. */
export interface RawConnection extends Disposable {
  readonly socket: net.Socket;
  /** All that has come so far. */
  readonly received: string;
  readonly isClosed: boolean;
  /** What broke it, if something did. */
  readonly error: Error | undefined;
  write(text: string | Uint8Array): void;
  /** Waits until more has come, or the end of the connection. */
  changed(): Promise<void>;
  /** Waits for the answer to match, or for the end of the connection; gives all that has come. */
  until(pattern: RegExp): Promise<string>;
  /** Waits for the other end to close; gives all that has come, and how. */
  closed(): Promise<string>;
}

/** Over TLS when there is an authority to trust. Nothing that happens to it throws. */
export async function connectRaw(
  port: number,
  options: {
    ca?: string;
    alpn?: string[];
    maxVersion?: tls.SecureVersion;
    rejectUnauthorized?: boolean;
    /** Another of this machine, to come from. */
    localAddress?: string;
  } = {},
): Promise<RawConnection> {
  const {
    ca,
    alpn = ["http/1.1"],
    maxVersion = "TLSv1.3",
    rejectUnauthorized = true,
    localAddress,
  } = options;
  const host = "127.0.0.1";
  const minVersion = "TLSv1";
  const isTls = ca !== undefined;
  const socket = isTls
    ? tls.connect({
        ...{ port, host, ca, servername: "localhost", ALPNProtocols: alpn },
        ...{ minVersion, maxVersion, rejectUnauthorized },
      })
    : net.connect({ port, host, ...(localAddress && { localAddress }) });
  let received = "";
  let isClosed = false;
  const changed = new EventTarget();
  const change = () => changed.dispatchEvent(new Event("change"));
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    received += text;
    change();
  });
  const closing = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  let broken: Error | undefined;
  socket.on("error", (error) => {
    broken = error;
  });
  socket.on("close", () => {
    isClosed = true;
    change();
  });
  const connected = new Promise<void>((resolve) => {
    socket.once(isTls ? "secureConnect" : "connect", () => resolve());
  });
  await Promise.race([connected, closing]);

  return {
    socket,
    get received() {
      return received;
    },
    get isClosed() {
      return isClosed;
    },
    get error() {
      return broken;
    },
    async changed() {
      if (!isClosed) await once(changed, "change");
    },
    write: (text) => void socket.write(text),
    async until(pattern) {
      while (!pattern.test(received) && !isClosed) await once(changed, "change");
      return received;
    },
    async closed() {
      await closing;
      return received;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
