import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { getServers } from "node:dns";
import { isIPv6 } from "node:net";
import {
  type Answer,
  decode,
  encode,
  type Packet,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from "dns-packet";
import {
  type DnsCheck,
  DnsCheck_RecordType as RecordType,
  DnsCheck_Transport as Transport,
} from "../../../gen/lumetry/source/v1/settings_pb.js";
import { outOfTime } from "../../../lib/egress/failure.ts";
import { hostAndPort } from "../../../lib/egress/host.ts";
import { PollFailed } from "../findings.ts";
import { dnsAnswerText } from "./dns-answer.ts";
import type { Poll, PollContext } from "./kind.ts";

/** A lost datagram is sent again after this long. */
const RETRY_MS = 1_500;

type Type = "A" | "AAAA" | "CNAME" | "MX" | "NS" | "PTR" | "SOA" | "SRV" | "TXT";

interface Place {
  address: string;
  port: number;
}

/** The resolver that this machine itself uses, which nobody but its owner chose, or a checked address. */
async function findServer(settings: DnsCheck, context: PollContext): Promise<Place> {
  if (settings.server) {
    const [address] = await context.dialler.resolve(settings.server.host, context.signal);
    return { address, port: settings.server.port };
  }
  const [server] = getServers();
  if (server === undefined) throw new PollFailed("this machine knows no resolver");
  const match = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(server);
  return { address: match?.[1] ?? match?.[2] ?? server, port: Number(match?.[3] ?? 53) };
}

/** An answer to this very question; anything else is somebody else's. */
function isAnswerTo(query: Packet, packet: Packet): boolean {
  const [asked] = query.questions ?? [];
  const [answered] = packet.questions ?? [];
  return (
    packet.type === "response" &&
    packet.id === query.id &&
    answered?.type === asked?.type &&
    answered?.name.toLowerCase() === asked?.name.toLowerCase()
  );
}

function decodeIfSound(bytes: Buffer): Packet | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

function askByDatagram(
  { address, port }: Place,
  query: Packet,
  signal: AbortSignal,
): Promise<Packet> {
  const where = hostAndPort(address, port);
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  const { promise, resolve, reject } = Promise.withResolvers<Packet>();
  const end = () => reject(outOfTime(where, "waiting for an answer"));
  signal.addEventListener("abort", end, { once: true });
  const question = encode(query);
  const send = () => socket.send(question, () => {});
  const timer = setInterval(send, RETRY_MS);
  socket.on("error", (error: NodeJS.ErrnoException) =>
    reject(
      new PollFailed(
        error.code === "ECONNREFUSED"
          ? `no DNS server listens at ${where}`
          : `${where}: ${error.message}`,
      ),
    ),
  );
  socket.on("message", (bytes) => {
    const packet = decodeIfSound(bytes);
    if (packet && isAnswerTo(query, packet)) resolve(packet);
  });
  // A connected socket hears nobody else.
  socket.connect(port, address, send);
  return promise.finally(() => {
    clearInterval(timer);
    signal.removeEventListener("abort", end);
    socket.close();
  });
}

async function askByConnection(place: Place, query: Packet, context: PollContext): Promise<Packet> {
  const { dialler, signal, findings } = context;
  const where = hostAndPort(place.address, place.port);
  const { socket } = await dialler.dial(place.address, place.port, {
    signal,
    trace: findings.trace,
  });
  try {
    findings.trace("query", `asking ${where}`);
    const question = encode(query);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(question.length);
    socket.write(Buffer.concat([length, question]));
    let heard = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length < 2 || heard.length < 2 + heard.readUInt16BE(0)) continue;
      const packet = decodeIfSound(heard.subarray(2, 2 + heard.readUInt16BE(0)));
      if (packet && isAnswerTo(query, packet)) return packet;
      break;
    }
    if (signal.aborted) throw outOfTime(where, "waiting for an answer");
    throw new PollFailed(`${where} ended the connection without an answer`);
  } finally {
    socket.destroy();
  }
}

async function ask(settings: DnsCheck, query: Packet, context: PollContext): Promise<Packet> {
  const place = await findServer(settings, context);
  context.findings.fact("address", hostAndPort(place.address, place.port));
  if (settings.transport === Transport.TCP) return askByConnection(place, query, context);
  context.findings.trace("query", `asking ${hostAndPort(place.address, place.port)}`);
  const answer = await askByDatagram(place, query, context.signal);
  const isCut = ((answer.flags ?? 0) & TRUNCATED_RESPONSE) !== 0;
  return isCut && settings.transport !== Transport.UDP
    ? askByConnection(place, query, context)
    : answer;
}

const fold = (text: string) => text.trim().replace(/\.$/, "").toLowerCase();

export const pollDnsCheck: Poll<DnsCheck> = async (settings, context) => {
  const { findings } = context;
  const type = RecordType[settings.recordType || RecordType.A] as Type;
  const query: Packet = {
    type: "query",
    id: randomInt(65_536),
    flags: RECURSION_DESIRED,
    questions: [{ type, name: settings.name.replace(/\.$/, "") }],
  };
  const packet = await ask(settings, query, context);
  const { rcode = "NOERROR" } = packet as { rcode?: string };
  const answers = (packet.answers ?? []).filter((answer: Answer) => answer.type === type);
  const texts = answers.map(dnsAnswerText);
  findings.fact("answers", texts.join(", "));
  findings.gauge("dns.query.duration", (findings.phases.get("query") ?? 0) / 1000, {
    unit: "s",
    description: "How long the name server took to answer",
  });
  findings.gauge("dns.answers", texts.length, {
    unit: "{record}",
    description: "Records of the type that was asked for",
  });
  const ttls = answers.flatMap((answer: Answer) => ("ttl" in answer ? [answer.ttl ?? 0] : []));
  if (ttls.length > 0) {
    findings.gauge("dns.ttl", Math.min(...ttls), {
      unit: "s",
      description: "How long the shortest-lived of the records may be kept",
    });
  }
  if (rcode !== "NOERROR")
    throw new PollFailed(`the server answered ${rcode}${MEANING[rcode] ?? ""}`);
  if (texts.length === 0) throw new PollFailed(`${settings.name} has no ${type} record`);
  const present = new Set(texts.map(fold));
  const missing = settings.expectedAnswers.filter((expected) => !present.has(fold(expected)));
  if (missing.length > 0) {
    throw new PollFailed(`${missing.join(", ")} is not among the answers: ${texts.join(", ")}`);
  }
};

const MEANING: Record<string, string> = {
  NXDOMAIN: ": there is no such name",
  SERVFAIL: ": it could not find out",
  REFUSED: ": it does not answer us",
};
