import { randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ProblemSchema, Problem_Reason as Reason } from "../../gen/lumetry/access/v1/problem_pb.js";
import {
  type Assignment,
  AssignmentSchema,
  type WorkItemSchema,
} from "../../gen/lumetry/edge/v1/work_pb.js";
import {
  type ReportResultSchema,
  type WorkReport,
  WorkService,
} from "../../gen/lumetry/edge/v1/work_service_pb.js";
import type { Reading } from "../../gen/lumetry/source/v1/reading_pb.js";
import type { Clock } from "../../lib/clock.ts";

/** A reading that was accepted, and how it came. */
export interface Filled {
  reading: Reading;
  by: "claim" | "outage";
  processId: string;
}

interface Claim {
  workId: string;
  token: string;
  processId: string;
  expiresAt: number;
  slot: { sourceId: string; time: number } | undefined;
}

export interface WorkServer extends AsyncDisposable {
  url: string;
  /** What is assigned, to whom: whoever claims first, or the process named here. */
  assign(sources: MessageInitShape<typeof AssignmentSchema>[]): void;
  unassign(sourceId: string): void;
  /** Hands out a test or a delivery to whoever asks next; gives its id. */
  order(task: MessageInitShape<typeof WorkItemSchema>["task"], budgetMs?: number): string;
  /** By source and scheduled time. */
  readonly slots: Map<string, Map<number, Filled>>;
  /** Outcomes of tests and deliveries. */
  readonly outcomes: Map<string, WorkReport["outcome"]>;
  readonly progress: string[];
  readonly counts: {
    claims: number;
    reports: number;
    stale: number;
    spent: number;
    taken: number;
    released: number;
    renewals: number;
  };
  /** Answers claims with an error. */
  failure: ConnectError | undefined;
  allowedNetworks: string[];
  leaseMs: number;
  /** Takes back every claim. */
  takeBack(): void;
  /** Loses the answers of so many reports, which were accepted. */
  loseAnswers: number;
}

const problem = (reason: Reason) => ({ problem: create(ProblemSchema, { reason }) });

/**
 * The claims' side of a server in memory, for what a real one cannot be made to do at will, and for load: it
 * hands out slots when they are due, each once, and takes each result once.
 */
export async function startWorkServer(clock: Clock, port = 0): Promise<WorkServer> {
  const assigned = new Map<string, Assignment>();
  const changed = new Map<string, bigint>();
  const ended = new Map<string, bigint>();
  let revision = 0n;
  const handedUntil = clock.now();
  const claims = new Map<string, Claim>();
  const spent = new Set<string>();
  const orders: {
    workId: string;
    task: MessageInitShape<typeof WorkItemSchema>["task"];
    budgetMs: number;
  }[] = [];

  const fill = (sourceId: string, time: number, filled: Filled): boolean => {
    let slots = server.slots.get(sourceId);
    if (!slots) {
      slots = new Map();
      server.slots.set(sourceId, slots);
    }
    if (slots.has(time)) return false;
    slots.set(time, filled);
    return true;
  };

  const claim = (processId: string, slot: Claim["slot"], workId: string = randomUUID()): Claim => {
    const made = {
      workId,
      token: `lmtwc_${randomUUID()}`,
      processId,
      expiresAt: clock.now() + server.leaseMs,
      slot,
    };
    claims.set(made.token, made);
    server.counts.claims += 1;
    return made;
  };

  /** Slots that are due until so far ahead, each handed out once. */
  function* due(processId: string, aheadMs: number, most: number) {
    const now = clock.now();
    const until = now + aheadMs;
    let count = 0;
    for (const source of assigned.values()) {
      const interval = source.interval ? durationMs(source.interval) : 60_000;
      const phase = source.phase ? durationMs(source.phase) : 0;
      const time = Math.floor((until - phase) / interval) * interval + phase;
      const last = handed.get(source.sourceId) ?? handedUntil;
      if (time <= last) continue;
      if (count >= most) return;
      count += 1;
      handed.set(source.sourceId, time);
      const { workId, token } = claim(processId, { sourceId: source.sourceId, time });
      yield {
        workId,
        claimToken: token,
        fence: 1n,
        lease: durationFromMs(server.leaseMs),
        ...(source.timeout ? { executionBudget: source.timeout } : {}),
        startIn: durationFromMs(Math.max(0, time - now)),
        task: {
          case: "poll" as const,
          value: {
            sourceId: source.sourceId,
            assignmentRevision: source.revision,
            scheduledTime: timestampFromMs(time),
          },
        },
      };
    }
  }
  const handed = new Map<string, number>();

  const judgeClaim = (processId: string, token: string): Claim | Reason => {
    if (spent.has(token)) return Reason.CLAIM_SPENT;
    const found = claims.get(token);
    if (!found || found.processId !== processId || found.expiresAt < clock.now()) {
      return Reason.STALE_CLAIM;
    }
    return found;
  };

  const report = (
    processId: string,
    one: WorkReport,
  ): MessageInitShape<typeof ReportResultSchema> => {
    server.counts.reports += 1;
    const token = one.claim?.claimToken ?? "";
    const found = judgeClaim(processId, token);
    if (typeof found === "number") {
      if (found === Reason.CLAIM_SPENT) server.counts.spent += 1;
      else server.counts.stale += 1;
      return problem(found);
    }
    claims.delete(token);
    spent.add(token);
    const { outcome } = one;
    if (outcome.case === "release") server.counts.released += 1;
    else if (found.slot && outcome.case === "reading") {
      const { sourceId, time } = found.slot;
      fill(sourceId, time, { reading: outcome.value, by: "claim", processId });
    } else server.outcomes.set(found.workId, outcome);
    return {};
  };

  const listener = http.createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(WorkService, {
          async claimWork(request) {
            if (server.failure) throw server.failure;
            const until = clock.now() + (request.wait ? durationMs(request.wait) : 0);
            const ahead = request.ahead ? durationMs(request.ahead) : 0;
            for (;;) {
              const items: MessageInitShape<typeof WorkItemSchema>[] = [
                ...due(request.processId, ahead, request.mostPolls),
              ];
              const errands = request.mostTests + request.mostDeliveries;
              for (const { workId, task, budgetMs } of errands > 0
                ? orders.splice(0, errands)
                : []) {
                const { token } = claim(request.processId, undefined, workId);
                items.push({
                  workId,
                  claimToken: token,
                  fence: 1n,
                  lease: durationFromMs(server.leaseMs),
                  executionBudget: durationFromMs(budgetMs),
                  ...(task ? { task } : {}),
                });
              }
              const isNews = revision > request.assignmentsRevision && request.mostPolls > 0;
              if (items.length > 0 || isNews || clock.now() >= until || server.failure) {
                return {
                  items,
                  assignmentsRevision: revision,
                  assignmentLease: durationFromMs(60_000),
                  networkPolicy: { allowedNetworks: server.allowedNetworks },
                  capabilities: request.capabilities,
                };
              }
              await clock.sleep(20);
            }
          },
          renewLeases({ processId, claims: wanted }) {
            return {
              renewals: wanted.map(({ claimToken }) => {
                server.counts.renewals += 1;
                const found = judgeClaim(processId, claimToken);
                if (typeof found === "number") return problem(found);
                found.expiresAt = clock.now() + server.leaseMs;
                return { lease: durationFromMs(server.leaseMs) };
              }),
            };
          },
          reportWork({ processId, reports }) {
            const results = reports.map((one) => report(processId, one));
            if (server.loseAnswers > 0) {
              server.loseAnswers -= 1;
              throw new ConnectError("the answer is lost", Code.Unavailable);
            }
            return { results };
          },
          reportProgress({ processId, claim: wanted, phase }) {
            if (typeof judgeClaim(processId, wanted?.claimToken ?? "") === "number") {
              throw new ConnectError("gone", Code.FailedPrecondition);
            }
            server.progress.push(phase);
            return {};
          },
          syncAssignments({ sinceRevision }) {
            return {
              assignments: [...assigned.values()].filter(
                ({ sourceId }) => (changed.get(sourceId) ?? 0n) > sinceRevision,
              ),
              endedSourceIds: [...ended]
                .filter(([, at]) => at > sinceRevision)
                .map(([sourceId]) => sourceId),
              revision,
              networkPolicy: { allowedNetworks: server.allowedNetworks },
            };
          },
          reportOutageRuns({ processId, runs }) {
            if (server.failure) throw server.failure;
            return {
              results: runs.map(({ sourceId, scheduledTime, reading }) => {
                const time = scheduledTime ? timestampMs(scheduledTime) : 0;
                if (!reading || !fill(sourceId, time, { reading, by: "outage", processId })) {
                  server.counts.taken += 1;
                  return problem(Reason.SLOT_TAKEN);
                }
                return {};
              }),
            };
          },
        }),
    }),
  );
  listener.listen(port, "127.0.0.1");
  await once(listener, "listening");

  const server: WorkServer = {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    slots: new Map(),
    outcomes: new Map(),
    progress: [],
    counts: { claims: 0, reports: 0, stale: 0, spent: 0, taken: 0, released: 0, renewals: 0 },
    failure: undefined,
    allowedNetworks: [],
    leaseMs: 30_000,
    loseAnswers: 0,
    assign(sources) {
      for (const source of sources) {
        revision += 1n;
        const made = create(AssignmentSchema, { ...source, revision });
        assigned.set(made.sourceId, made);
        changed.set(made.sourceId, revision);
        ended.delete(made.sourceId);
      }
    },
    unassign(sourceId) {
      revision += 1n;
      assigned.delete(sourceId);
      ended.set(sourceId, revision);
    },
    order(task, budgetMs = 10_000) {
      const workId = randomUUID();
      orders.push({ workId, task, budgetMs });
      return workId;
    },
    takeBack() {
      claims.clear();
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      listener.closeAllConnections();
    },
  };
  return server;
}
