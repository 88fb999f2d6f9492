import type { Clock } from "../../lib/clock.ts";
import { makeRecentMap } from "../../lib/recent-map.ts";
import type { AgentCaller, CollectorCaller } from "../context.ts";
import type { Database } from "../db/database.ts";
import { recordPath, recordRefusedRelay } from "./store.ts";

/** On another server the way may have changed meanwhile: after this it is written again. */
const BELIEVED_MS = 60_000;
const MEMORY_BYTES = 16 << 20;

/** The ways by which agents come: directly, or through which collector. */
export interface Paths {
  /** Notes the way of an agent's call, if it is news. */
  note(agent: AgentCaller): Promise<void>;
  /** Notes that a collector of another zone passed a call of an agent's on. */
  noteRefused(agent: AgentCaller, relay: CollectorCaller): Promise<void>;
}

export function makePaths(db: Database, clock: Clock): Paths {
  const noted = makeRecentMap<{ way: string; until: number }>(MEMORY_BYTES);

  /** Writes what is news, and what was written too long ago to be sure of. */
  const once = async (key: string, way: string, write: () => Promise<void>) => {
    const known = noted.get(key);
    const now = clock.monotonic();
    if (known && known.way === way && known.until > now) return;
    await write();
    noted.set(key, { way, until: now + BELIEVED_MS });
  };
  const keyOf = (agent: AgentCaller) => ({
    workspace_id: agent.workspaceId,
    edge_id: agent.edgeId,
  });

  return {
    note(agent) {
      const relayId = agent.relay?.edgeId ?? null;
      return once(agent.edgeId, relayId ?? "direct", () => recordPath(db, keyOf(agent), relayId));
    },
    async noteRefused(agent, relay) {
      if (agent.workspaceId !== relay.workspaceId) return;
      await once(`${agent.edgeId} refused`, relay.edgeId, () =>
        recordRefusedRelay(db, keyOf(agent), relay.edgeId),
      );
    },
  };
}
