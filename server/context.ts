import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Capability, Role } from "../gen/lumetry/access/v1/access_pb.js";

/** Who makes a call: always from the credential, never from the body. */
export type Caller = Nobody | Person | CollectorCaller | AgentCaller | IngestionKeyCaller;

export interface Nobody {
  kind: "nobody";
  /** The collector that passed the call on, found valid; undefined for a direct one. */
  relay?: CollectorCaller;
}

export interface Person {
  kind: "person";
  workspaceId: string;
  userId: string;
  displayName: string;
  /** What this credential may do: the person's role, or less for an access token. */
  role: Role;
  /** SHA-256 of the session or access token in use. */
  secretHash: Buffer;
}

/** A collector or an agent: what the credential of either tells. */
interface Edge {
  workspaceId: string;
  /** "col.…" or "agt.…". */
  edgeId: string;
  zoneId: string;
  displayName: string;
  credentialId: string;
}

export interface CollectorCaller extends Edge {
  kind: "collector";
  grantedCapabilities: Capability[];
}

export interface AgentCaller extends Edge {
  kind: "agent";
  /** Set on every series that it writes. */
  labels: Record<string, string>;
  /** The collector that passed the call on, found valid; undefined for a direct one. */
  relay?: CollectorCaller;
}

export type EdgeCaller = CollectorCaller | AgentCaller;

export interface IngestionKeyCaller {
  kind: "ingestion_key";
  workspaceId: string;
  ingestionKeyId: string;
  displayName: string;
  /** Set on every series written with the key. */
  labels: Record<string, string>;
}

/** Where a call comes from, and how to find it in the logs. */
export interface Origin {
  requestId: string;
  address: string;
}

export const nobody: Nobody = { kind: "nobody" };
export const callerKey = createContextKey<Caller>(nobody);
export const originKey = createContextKey<Origin>({ requestId: "", address: "" });

/** The headers of a request, whatever keeps them. */
export type CallHeaders = Pick<Headers, "get" | "has">;

/** What is known of a call of the contract before its body is. */
export interface CallContext extends Pick<HandlerContext, "method" | "values" | "signal"> {
  requestHeader: CallHeaders;
}

export const callerOf = (context: Pick<CallContext, "values">): Caller =>
  context.values.get(callerKey);
export const originOf = (context: Pick<CallContext, "values">): Origin =>
  context.values.get(originKey);

/** The person calling. The access rule of the method has let in nobody else. */
export function personOf(context: HandlerContext): Person {
  const caller = callerOf(context);
  if (caller.kind !== "person") throw new Error(`${context.method.name} lets in ${caller.kind}`);
  return caller;
}

export const isEdge = (caller: Caller): caller is EdgeCaller =>
  caller.kind === "collector" || caller.kind === "agent";

/** The collector or agent calling. The access rule of the method has let in nobody else. */
export function edgeOf(context: HandlerContext): EdgeCaller {
  const caller = callerOf(context);
  if (!isEdge(caller)) throw new Error(`${context.method.name} lets in ${caller.kind}`);
  return caller;
}

/** The collector calling. The access rule of the method has let in nobody else. */
export function collectorOf(context: HandlerContext): CollectorCaller {
  const caller = callerOf(context);
  if (caller.kind !== "collector") throw new Error(`${context.method.name} lets in ${caller.kind}`);
  return caller;
}
