/** A process of a thousand agents, each on an address and with a connection of its own, that call now and then. */
import http2 from "node:http2";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { addressOf } from "./address.ts";

export interface Crowd {
  port: number;
  ca: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  agents: number;
  version: "1.1" | "2";
  everyMs: number;
  lastsMs: number;
}

function makeCaller(crowd: Crowd, localAddress: string): () => Promise<number> {
  const { port, ca, path, headers } = crowd;
  const body = Buffer.from(crowd.body, "base64");
  if (crowd.version === "1.1") {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca });
    return () =>
      new Promise((resolve, reject) => {
        const to = {
          host: "localhost",
          port,
          path,
          method: "POST",
          agent,
          family: 4,
          localAddress,
        };
        const request = https.request({
          ...to,
          headers: { ...headers, "content-length": body.length },
        });
        request.on("error", reject);
        request.on("response", (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
        });
        request.end(body);
      });
  }
  const session = http2.connect(`https://localhost:${port}`, {
    ca,
    localAddress,
    family: 4,
  } as object);
  session.on("error", () => {});
  return () =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ":method": "POST", ":path": path, ...headers });
      let status = 0;
      stream.on("response", (received) => {
        status = Number(received[":status"]);
      });
      stream.on("error", reject);
      stream.on("end", () => resolve(status));
      stream.resume();
      stream.end(body);
    });
}

process.once("message", async (crowd: Crowd) => {
  const until = performance.now() + crowd.lastsMs;
  let [calls, failures] = [0, 0];
  await Promise.all(
    Array.from({ length: crowd.agents }, async (_, index) => {
      const call = makeCaller(crowd, addressOf(index));
      await sleep(Math.random() * crowd.everyMs);
      while (performance.now() < until) {
        calls += 1;
        const status = await call().catch(() => 0);
        if (status !== 200) failures += 1;
        await sleep(crowd.everyMs * (0.8 + 0.4 * Math.random()));
      }
    }),
  );
  process.send?.({ calls, failures });
  process.disconnect();
  process.exit();
});
