import { createServer } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { guardHttp2Clients } from "../../lib/http2-guard.ts";

/**
 * Run as a process of its own: calls something that speaks no HTTP/2, and again at once when the
 * call has failed. "guarded" as its argument guards it; it says "survived" if it lives to tell.
 */
if (process.argv[2] === "guarded") {
  guardHttp2Clients();
  guardHttp2Clients();
}
const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
});
server.listen(0, "127.0.0.1", async () => {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const health = createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));
  let failures = 0;
  for (let i = 0; i < 50; i += 1) {
    await health.check({}, { timeoutMs: 5_000 }).catch(() => {
      failures += 1;
    });
  }
  process.stdout.write(`survived ${failures} failures\n`);
  process.exit(0);
});
