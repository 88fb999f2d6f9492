import { createSocket } from "node:dgram";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { type Answer, decode, encode, type Packet, TRUNCATED_RESPONSE } from "dns-packet";

export interface DnsTarget extends AsyncDisposable {
  port: number;
  /** Names that were asked for, with how. */
  readonly asked: string[];
}

export interface DnsReply {
  answers?: Answer[];
  /** 0 is no error, 3 no such name. */
  rcode?: number;
  /** Over UDP, say that the answer was cut short. */
  cut?: boolean;
  silent?: boolean;
}

/** A DNS server on one port of an address, over UDP and TCP, that answers as it is told. */
export async function startDnsTarget(
  reply: (name: string, type: string) => DnsReply,
  options: { address?: string; port?: number } = {},
): Promise<DnsTarget> {
  const { address = "127.0.0.1", port: wanted = 0 } = options;
  const asked: string[] = [];
  const answerTo = (bytes: Buffer, isUdp: boolean): Buffer | undefined => {
    const query: Packet = decode(bytes);
    const [question] = query.questions ?? [];
    if (!question) return undefined;
    asked.push(`${isUdp ? "udp" : "tcp"} ${question.type} ${question.name}`);
    const { answers = [], rcode = 0, cut, silent } = reply(question.name, question.type);
    if (silent) return undefined;
    const isCut = isUdp && cut;
    return encode({
      type: "response",
      id: query.id ?? 0,
      flags: rcode | (isCut ? TRUNCATED_RESPONSE : 0),
      questions: [question],
      answers: isCut ? [] : answers,
    });
  };
  const listener = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const answer = answerTo(bytes.subarray(2), false);
      if (!answer) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      // In pieces, as networks do.
      socket.write(length);
      socket.write(answer.subarray(0, 5));
      setImmediate(() => socket.write(answer.subarray(5)));
    });
  });
  listener.listen(wanted, address);
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket = createSocket(net.isIPv6(address) ? "udp6" : "udp4");
  socket.on("message", (bytes, from) => {
    const answer = answerTo(bytes, true);
    if (answer) socket.send(answer, from.port, from.address);
  });
  socket.bind(port, address);
  await once(socket, "listening");
  return {
    port,
    asked,
    async [Symbol.asyncDispose]() {
      socket.close();
      listener.close();
    },
  };
}
