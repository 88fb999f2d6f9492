import type { Caller } from "../context.ts";

/** Whose points they are: from the credential, never from the body. */
export interface Sender {
  workspaceId: string;
  /** What batch ids are unique for. */
  senderId: string;
  /** Set on every series, over whatever is sent. */
  labels: Readonly<Record<string, string>>;
}

/** A caller is the same object from call to call for a while. */
const senders = new WeakMap<Caller, Sender>();

/** The caller as a sender. The access rule of the method has let in nobody else. */
export function senderOf(caller: Caller): Sender {
  let sender = senders.get(caller);
  if (!sender) {
    sender = asSender(caller);
    senders.set(caller, sender);
  }
  return sender;
}

function asSender(caller: Caller): Sender {
  switch (caller.kind) {
    case "collector":
      return {
        workspaceId: caller.workspaceId,
        senderId: caller.edgeId,
        labels: { "lumetry.collector_id": caller.edgeId },
      };
    case "agent":
      return {
        workspaceId: caller.workspaceId,
        senderId: caller.edgeId,
        labels: { ...caller.labels, "lumetry.agent_id": caller.edgeId },
      };
    case "ingestion_key":
      return {
        workspaceId: caller.workspaceId,
        senderId: caller.ingestionKeyId,
        labels: caller.labels,
      };
    default:
      throw new Error(`points are not taken from a ${caller.kind}`);
  }
}
