import { setTimeout as wait } from "node:timers/promises";
import type { ServerProcess } from "../support/server-process.ts";
import type { AgentSubject } from "./agent-subject.ts";
import { nextCommit } from "./storm.ts";

/** Something that fails, and is mended; either settles when it is so, not when the agent has noticed. */
export interface AgentEvent {
  fail(subject: AgentSubject, server: ServerProcess, random: () => number): Promise<void>;
  mend(subject: AgentSubject, server: ServerProcess): Promise<void>;
  /** Where the agent goes meanwhile; nowhere when no way is complete. */
  meanwhile: "direct" | "nowhere" | "either";
}

/**
 * An upload that is stored while its answer is lost at the collector; then, for so long, attempts by
 * either way that certainly arrive nowhere.
 */
export function lostOnBothWays(forMs: number): AgentEvent {
  return {
    async fail(subject, server) {
      const { agentToCollector, agentToServer } = subject.ways;
      if (forMs > 0) await agentToServer.refuse();
      await agentToCollector.withhold();
      await nextCommit(subject, server);
      await agentToCollector.refuse();
      await wait(forMs);
      await agentToServer.pass();
    },
    mend: ({ ways }) => ways.agentToCollector.pass(),
    meanwhile: "direct",
  };
}

const restartCollector = async ({ collector }: AgentSubject) => collector.restart();

/** By what they are called. */
export const QUICK_EVENTS: Record<string, AgentEvent> = {
  "collector killed": {
    fail: ({ collector }) => collector.kill(),
    mend: restartCollector,
    meanwhile: "direct",
  },
  "collector cut from the server": {
    fail: ({ ways }) => ways.collectorToServer.refuse(),
    mend: ({ ways }) => ways.collectorToServer.pass(),
    meanwhile: "direct",
  },
  "answer to an upload lost at the collector": lostOnBothWays(0),
  "agent killed before the answer to an upload": {
    async fail(subject, server) {
      const { agentToCollector } = subject.ways;
      await agentToCollector.withhold();
      await nextCommit(subject, server);
      await subject.kill();
      await agentToCollector.refuse();
      subject.restart();
    },
    mend: ({ ways }) => ways.agentToCollector.pass(),
    meanwhile: "direct",
  },
};

export const OUTAGE_EVENTS: Record<string, AgentEvent> = {
  "collector and server killed": {
    async fail({ collector }, server) {
      await collector.kill();
      await server.kill();
    },
    async mend(subject, server) {
      await server.start();
      await restartCollector(subject);
    },
    meanwhile: "nowhere",
  },
};

/** For the long form. */
export const SLOW_EVENTS: Record<string, AgentEvent> = {
  "server stopped": {
    fail: (_, server) => server.stop(),
    mend: (_, server) => server.start(),
    meanwhile: "nowhere",
  },
  "way to the collector comes and goes": {
    async fail({ ways }, _, random) {
      for (let time = 0; time < 6; time += 1) {
        await ways.agentToCollector.refuse();
        await wait(100 + random() * 900);
        await ways.agentToCollector.pass();
        await wait(100 + random() * 900);
      }
    },
    mend: ({ ways }) => ways.agentToCollector.pass(),
    meanwhile: "either",
  },
  "collector silent": {
    fail: ({ ways }) => ways.agentToCollector.hang(),
    mend: ({ ways }) => ways.agentToCollector.pass(),
    meanwhile: "direct",
  },
};

/** How long the agent took, in milliseconds, to be well again by another way, and to be back. */
export interface Passage {
  away: number | undefined;
  back: number;
}

export async function passThrough(
  event: AgentEvent,
  subject: AgentSubject,
  server: ServerProcess,
  random: () => number,
): Promise<Passage> {
  const { meanwhile } = event;
  await subject.isOn("collector");
  const failed = performance.now();
  await event.fail(subject, server, random);
  if (meanwhile === "direct") await subject.isOn("direct");
  else await wait(500 + random() * 1_500);
  const away = meanwhile === "direct" ? performance.now() - failed : undefined;
  const mended = performance.now();
  await event.mend(subject, server);
  await subject.isOn("collector");
  return { away, back: performance.now() - mended };
}
