/** A process that reads bodies over TLS and answers, and nothing else. Tells its port to who started it. */
import { readFileSync } from "node:fs";
import https from "node:https";
import type { AddressInfo } from "node:net";

const [pem = ""] = process.argv.slice(2);
const pair = readFileSync(pem, "utf8");
const server = https.createServer(
  { key: pair, cert: pair, keepAliveTimeout: 300_000 },
  (request, response) => {
    request.on("data", () => {});
    request.on("end", () => {
      response.writeHead(200, { "content-type": "application/proto", "content-length": 0 }).end();
    });
  },
);
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.once("disconnect", () => process.exit());
