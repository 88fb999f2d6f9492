import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";

export interface HttpProxy extends AsyncDisposable {
  readonly port: number;
  /** What was asked for, such as "lumetry.test:443", and by whom. */
  readonly asked: { place: string; credentials: string | undefined }[];
}

/** An HTTP proxy for CONNECT, to which every name is this machine. */
export async function startHttpProxy(): Promise<HttpProxy> {
  const asked: HttpProxy["asked"] = [];
  const sockets = new Set<net.Socket>();
  const server = http.createServer((_, response) => response.writeHead(405).end());
  server.on("connect", (request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
    const { url = "", headers } = request;
    asked.push({ place: url, credentials: headers["proxy-authorization"] });
    const onward = net.connect(Number(url.split(":").at(-1)), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    for (const each of [socket, onward]) {
      sockets.add(each);
      each.on("error", () => {});
      each.on("close", () => {
        socket.destroy();
        onward.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
    },
  };
}
