import { createHash } from "node:crypto";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { NotConnected } from "./not-connected.ts";
import { type Place, Tunnel } from "./tunnel.ts";

/** For a connection and its TLS handshake together: a route on which nobody answers is left soon. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than from one heartbeat to the next, shorter than firewalls forget connections. */
const IDLE_MS = 60_000;

/** SHA-256 of a public key's SubjectPublicKeyInfo, in 64 hexadecimal digits. */
export type Fingerprint = string;

export function fingerprintOf(certificate: {
  publicKey: { export(options: { type: "spki"; format: "der" }): Buffer };
}): Fingerprint {
  const key = certificate.publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(key).digest("hex");
}

export interface Trust {
  /** A private authority to trust, in PEM form; those of the system when undefined. */
  ca: string | undefined;
  /** Who shows one of these keys is trusted, whatever its certificate says; others are not. */
  pins: readonly Fingerprint[];
  /** An HTTP proxy to go through, for addresses that are spoken TLS with. */
  proxy?: string | undefined;
}

/** Connections to one address, kept between calls; each is made and trusted before a byte is sent on it. */
export function makeAgent(url: string, trust: Trust): http.Agent {
  const options = { keepAlive: true, keepAliveMsecs: 15_000, timeout: IDLE_MS };
  const secure = url.startsWith("https:");
  const agent = secure ? new https.Agent(options) : new http.Agent(options);
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const place = { host, port: Number(port) || (secure ? 443 : 80) };
  agent.createConnection = (_options, done) => {
    const socket = secure ? connectSecurely(place, trust) : net.connect(place);
    const settle = (error: NotConnected | undefined) => {
      clearTimeout(timer);
      socket.off("error", failed);
      if (error) socket.on("error", () => {}).destroy();
      done?.(error ?? null, socket);
    };
    const failed = (error: NodeJS.ErrnoException) =>
      settle(
        error instanceof NotConnected
          ? error
          : new NotConnected(wordsFor(error), error.code ?? "ERR_CONNECT", error),
      );
    const late = () =>
      settle(new NotConnected(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`, "ETIMEDOUT"));
    const timer = setTimeout(late, CONNECT_TIMEOUT_MS);
    socket.once("error", failed);
    socket.once(secure ? "secureConnect" : "connect", () => {
      settle(socket instanceof tls.TLSSocket ? distrust(socket, trust) : undefined);
    });
    return undefined;
  };
  return agent;
}

function connectSecurely(place: Place, trust: Trust): tls.TLSSocket {
  const { host } = place;
  return tls.connect({
    ...place,
    ...(trust.proxy !== undefined && { socket: new Tunnel(trust.proxy, place) }),
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    ...(net.isIP(host) === 0 && { servername: host }),
    ...(trust.ca !== undefined && { ca: trust.ca }),
    // With a pin, the key alone decides; it is looked at before anything is sent.
    rejectUnauthorized: trust.pins.length === 0,
  });
}

/** Why the other end is not the one that was pinned. */
function distrust(socket: tls.TLSSocket, { pins }: Trust): NotConnected | undefined {
  if (pins.length === 0) return undefined;
  const certificate = socket.getPeerX509Certificate();
  const shown = certificate && fingerprintOf(certificate);
  if (shown !== undefined && pins.includes(shown)) return undefined;
  return new NotConnected(
    `it shows the key sha256:${shown ?? "none"}, which is not pinned: check --collector-fingerprint, if it is the right collector`,
    "ERR_TLS_KEY_NOT_PINNED",
  );
}

const UNKNOWN_AUTHORITY = /SELF_SIGNED|UNABLE_TO_VERIFY_LEAF|UNABLE_TO_GET_ISSUER/;

function wordsFor(error: NodeJS.ErrnoException): string {
  const { code = "", message } = error;
  if (UNKNOWN_AUTHORITY.test(code)) {
    return "its certificate comes from an authority that is not trusted here: trust it with --ca, if it is the right one";
  }
  // A name with several addresses fails with one error for each of them, and has no words itself.
  const each = error instanceof AggregateError ? error.errors.map(({ message }) => message) : [];
  return message || each.join(", ") || code;
}
