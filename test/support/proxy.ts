import { once, setMaxListeners } from "node:events";
import net from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { findFreePort } from "./free-port.ts";

/** A TCP proxy in front of a server: the network, in a test's hands. It cannot read what it carries. */
export interface NetworkProxy extends AsyncDisposable {
  /** The address of the server by way of the proxy. */
  readonly url: string;
  /** From now on everything goes through, each piece this much later, and what was held goes on. */
  pass(delayMs?: number): Promise<void>;
  /** Ends all connections; new ones are refused, as where nobody listens. */
  refuse(): Promise<void>;
  /** Takes connections and whatever is sent on them, and hands nothing on. */
  hang(): Promise<void>;
  /** Hands on what clients send, and holds what the server answers. */
  withhold(): Promise<void>;
  /** Ends all connections at once, with whatever is held; new ones are taken. */
  cut(): void;
  /** Settles when the next bytes of an answer have been handed on. */
  answered(): Promise<void>;
}

const HOST = "127.0.0.1";

type Direction = "out" | "back";

export async function startProxy(server: { url: string }): Promise<NetworkProxy> {
  const target = new URL(server.url);
  const held = new Set<Direction>();
  const changes = new EventTarget();
  setMaxListeners(0, changes);
  const tell = (what: string) => changes.dispatchEvent(new Event(what));
  const connections = new Set<net.Socket>();
  let delay = 0;

  /** Settles once a piece may be handed on. */
  const admit = async (direction: Direction) => {
    if (delay > 0) await wait(delay);
    while (held.has(direction)) await once(changes, "manner");
  };

  const carry = async (direction: Direction, from: net.Socket, to: net.Socket) => {
    try {
      for await (const piece of from) {
        await admit(direction);
        if (to.destroyed) return;
        to.write(piece);
        if (direction === "back") tell("answered");
      }
      await admit(direction);
      to.end();
    } catch {
      to.destroy();
    }
  };

  const listener = net.createServer({ allowHalfOpen: true }, (client) => {
    const upstream = net.connect({ port: Number(target.port), host: HOST, allowHalfOpen: true });
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      connections.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => connections.delete(socket));
    }
    upstream.on("close", () => client.destroySoon());
    void carry("out", client, upstream);
    void carry("back", upstream, client);
  });
  const listen = async (port: number) => {
    listener.listen(port, HOST);
    await once(listener, "listening");
  };
  const port = await findFreePort();
  await listen(port);

  const cut = () => {
    for (const socket of connections) socket.resetAndDestroy();
  };
  const set = async (directions: Direction[], delayMs = 0) => {
    if (!listener.listening) await listen(port);
    delay = delayMs;
    held.clear();
    for (const direction of directions) held.add(direction);
    tell("manner");
  };

  const refuse = async () => {
    if (!listener.listening) return;
    const closed = once(listener, "close");
    listener.close();
    cut();
    await closed;
  };

  return {
    url: Object.assign(new URL(server.url), { port }).origin,
    pass: (delayMs) => set([], delayMs),
    hang: () => set(["out", "back"]),
    withhold: () => set(["back"]),
    cut,
    refuse,
    async answered() {
      await once(changes, "answered");
    },
    async [Symbol.asyncDispose]() {
      await refuse();
      held.clear();
      tell("manner");
    },
  };
}
