/**
 * A process that makes requests at times that were set beforehand, whatever has been answered until
 * then: each counts from when it was due, also where it had to wait for the one before it.
 */
import tls from "node:tls";
import { addressOf } from "./address.ts";

export interface Pace {
  port: number;
  ca: string;
  /** A whole request of HTTP/1.1, in base64. */
  request: string;
  connections: number;
  /** In all; the connections take turns. */
  perSecond: number;
  seconds: number;
}

export interface Paced {
  /** Milliseconds from when it was due to the last byte of the answer, in no order. */
  times: number[];
  /** Requests with another answer than 200, or none. */
  failures: number;
}

/** How long the last ones are waited for. */
const GRACE_MS = 10_000;

/** One kept connection: what is due goes out as soon as the answer before it has come. */
class Line {
  readonly times: number[] = [];
  failures = 0;
  #socket: tls.TLSSocket;
  #request: Buffer;
  #due: number[] = [];
  #received = "";

  constructor(socket: tls.TLSSocket, request: Buffer) {
    this.#socket = socket;
    this.#request = request;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#onData(text));
    socket.on("error", () => {});
  }

  get waiting(): number {
    return this.#due.length;
  }

  ask(due: number): void {
    this.#due.push(due);
    if (this.#due.length === 1) this.#socket.write(this.#request);
  }

  #onData(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#received)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    if (!this.#received.startsWith("HTTP/1.1 200 ")) this.failures += 1;
    this.#received = "";
    this.times.push(performance.now() - (this.#due.shift() ?? 0));
    if (this.#due.length > 0) this.#socket.write(this.#request);
  }

  /** Forgets what came so far. */
  begin(): void {
    this.times.length = 0;
    this.failures = 0;
  }

  close(): void {
    this.failures += this.#due.length;
    this.#socket.destroy();
  }
}

async function connect({ port, ca, request }: Pace, index: number): Promise<Line> {
  const socket = tls.connect({
    ...{ host: "127.0.0.1", servername: "localhost", port, ca, localAddress: addressOf(index) },
    ALPNProtocols: ["http/1.1"],
  } as tls.ConnectionOptions);
  socket.setNoDelay(true);
  await new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve).once("error", reject);
  });
  return new Line(socket, Buffer.from(request, "base64"));
}

async function until(isSo: () => boolean): Promise<void> {
  const latest = performance.now() + GRACE_MS;
  while (!isSo() && performance.now() < latest) await wait(5);
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

process.once("message", async (pace: Pace) => {
  const lines: Line[] = [];
  const isQuiet = () => lines.every(({ waiting }) => waiting === 0);
  // Once each, so that all that is made at the first request is there.
  for (let index = 0; index < pace.connections; index += 1) {
    const line = await connect(pace, index);
    line.ask(performance.now());
    lines.push(line);
  }
  await until(isQuiet);
  for (const line of lines) line.begin();
  process.send?.("begins");

  const begun = performance.now();
  const all = pace.perSecond * pace.seconds;
  for (let next = 0; next < all; ) {
    for (; next < all; next += 1) {
      const due = begun + (next * 1_000) / pace.perSecond;
      if (due > performance.now()) break;
      lines[next % lines.length]?.ask(due);
    }
    await wait(1);
  }
  await until(isQuiet);
  for (const line of lines) line.close();
  const paced: Paced = {
    times: lines.flatMap(({ times }) => times),
    failures: lines.reduce((sum, { failures }) => sum + failures, 0),
  };
  process.send?.(paced, () => process.exit());
});
