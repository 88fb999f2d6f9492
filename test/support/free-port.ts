import { once } from "node:events";
import net from "node:net";

/**
 * A port of 127.0.0.1 that nobody listens on, below those that systems hand out by themselves: it
 * stays free while whoever asked for it is stopped and started again.
 */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const listener = net.createServer();
    try {
      listener.listen(port, "127.0.0.1");
      await once(listener, "listening");
    } catch {
      continue;
    }
    listener.close();
    await once(listener, "close");
    return port;
  }
}
