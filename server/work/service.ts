import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { Capability } from "../../gen/lumetry/access/v1/access_pb.js";
import { TestTaskSchema, type WorkItemSchema } from "../../gen/lumetry/edge/v1/work_pb.js";
import type {
  ClaimWorkRequest,
  ReportResultSchema,
  WorkService,
} from "../../gen/lumetry/edge/v1/work_service_pb.js";
import { hashSecret } from "../../lib/secret.ts";
import { capabilityName } from "../access/names.ts";
import { syncAssignments } from "../assignments/sync.ts";
import { findMessages, type Message } from "../channels/messages.ts";
import { type CollectorCaller, collectorOf } from "../context.ts";
import { problem, Reason } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { findZone } from "../zones/store.ts";
import {
  type Claimant,
  type ClaimedItem,
  type Claims,
  claimWork,
  nextPollInMs,
  type Wanted,
} from "./claims.ts";
import { type Ending, renewClaims, spendClaims } from "./held-claims.ts";
import { takeOutageRuns } from "./outage-runs.ts";
import { makePresence } from "./presence.ts";
import { nameClaim, reportWork, type Verdict } from "./report.ts";
import { workerTopic, zoneTopic } from "./signals.ts";
import { recordStep, testPlace } from "./tests.ts";
import { makeClaimTokens } from "./tokens.ts";
import { WORKER_LEASE_MS } from "./workers.ts";

const MOST_WAIT_MS = 10_000;
/** What is due and not to be had is in the hands of somebody else at this moment. */
const LEAST_WAIT_MS = 5;

const stale = { reason: Reason.STALE_CLAIM };
const LOST = "the claim is not this caller's any more: its lease ended, or it was taken back";

/** Those of the wanted capabilities that an administrator has granted. */
function capabilitiesOf(caller: CollectorCaller, asked: readonly Capability[]): Capability[] {
  return [...new Set(asked)].filter((one) => caller.grantedCapabilities.includes(one));
}

/** What is asked for and may be had. */
function wantedOf(request: ClaimWorkRequest, capabilities: readonly Capability[]): Wanted {
  const can = (capability: Capability, most: number) =>
    capabilities.includes(capability) ? most : 0;
  return {
    polls: can(Capability.POLL_SOURCE, request.mostPolls),
    tests: can(Capability.TEST_SOURCE, request.mostTests),
    deliveries: can(Capability.DELIVER_WEBHOOK, request.mostDeliveries),
    aheadMs: request.ahead ? durationMs(request.ahead) : 0,
  };
}

export function workService(parts: Parts): ServiceImpl<typeof WorkService> {
  const { db, pool, vault, signals, clock, log, metrics, ingest, authenticator, readiness } = parts;
  const tokens = makeClaimTokens();
  const presence = makePresence(pool, clock);

  const revoked = () =>
    problem(Code.Unauthenticated, Reason.REVOKED, "the collector was revoked, for good");

  /** Where the work of a zone may connect. */
  const policyOf = async (workspaceId: string, zoneId: string) => {
    const zone = await findZone(db, workspaceId, zoneId);
    return { allowedNetworks: zone?.allowed_networks ?? [] };
  };

  /** Notes that the caller lives; every call of it does. */
  const see = async (claimant: Claimant, capabilities: readonly Capability[], anew = false) => {
    if (!(await presence.see(claimant, capabilities.map(capabilityName), anew))) throw revoked();
  };

  const claimOnce = async (claimant: Claimant, wanted: Wanted): Promise<Claims> => {
    const taken = tokens.take(wanted.polls + wanted.tests + wanted.deliveries);
    const claims = await claimWork(pool, claimant, wanted, taken);
    tokens.giveBack(taken.slice(claims.items.length));
    return claims;
  };

  /** What was claimed for a caller that has left meanwhile is somebody else's to do, at once. */
  const release = async (claimant: Claimant, items: readonly ClaimedItem[]) => {
    const endings = items.map(
      ({ workId, fence, token }): Ending => ({
        claim: { workId, fence, tokenHash: hashSecret(token) },
        state: "due",
        againInMs: 0,
        released: true,
      }),
    );
    if (endings.length > 0) await spendClaims(pool, claimant, endings);
  };

  const toItems = async (workspaceId: string, items: readonly ClaimedItem[]) => {
    const deliveries = items.filter(({ kind }) => kind === "deliver");
    const messages =
      deliveries.length === 0
        ? new Map<string, Message>()
        : await findMessages(
            pool,
            vault,
            deliveries.map(({ subjectId }) => ({ workspaceId, deliveryId: subjectId })),
            (error, deliveryId) =>
              log.error(
                { err: error, deliveryId },
                "a message cannot be signed; tried again later",
              ),
          );
    return items.flatMap((item) => {
      try {
        return toItem(item, messages.get(item.subjectId), (sealed) =>
          vault.open(sealed, testPlace(workspaceId, item.workId)),
        );
      } catch (error) {
        log.error({ err: error, workId: item.workId }, "work cannot be read; tried again later");
        return [];
      }
    });
  };

  const toResult = (verdict: Verdict): MessageInitShape<typeof ReportResultSchema> => {
    switch (verdict.kind) {
      case "accepted":
        return verdict.written ? { written: verdict.written } : {};
      case "stale":
        return { problem: stale, message: LOST };
      case "spent":
        return {
          problem: { reason: Reason.CLAIM_SPENT },
          message: "the token was spent by a report that was accepted",
        };
      case "taken":
        return {
          problem: { reason: Reason.SLOT_TAKEN },
          message: "the slot has a result already",
        };
      case "misfit":
        return { problem: { reason: Reason.NOT_ALLOWED }, message: verdict.message };
    }
  };

  const reporterOf = (context: HandlerContext, processId: string) => {
    const { workspaceId, edgeId: collectorId } = collectorOf(context);
    return { workspaceId, collectorId, processId };
  };

  return {
    async claimWork(request, context) {
      const { workspaceId, edgeId: collectorId, zoneId } = collectorOf(context);
      const claimant = { workspaceId, collectorId, zoneId, processId: request.processId };
      const waitMs = Math.min(request.wait ? durationMs(request.wait) : 0, MOST_WAIT_MS);
      const until = clock.monotonic() + waitMs;
      const giveUp = AbortSignal.any([context.signal, readiness.draining]);
      // Before the first look, so that nothing that comes in between is missed.
      using listener = signals.listen([
        zoneTopic(workspaceId, zoneId),
        workerTopic(workspaceId, collectorId),
      ]);
      for (;;) {
        // Grants may change, and collectors be revoked, while a call waits.
        const now = await authenticator.authenticate(context.requestHeader);
        const capabilities =
          now.kind === "collector" ? capabilitiesOf(now, request.capabilities) : [];
        const wanted = wantedOf(request, capabilities);
        await see(claimant, capabilities);
        let claims = await claimOnce(claimant, wanted);
        if (!claims.isWorker) {
          await see(claimant, capabilities, true);
          claims = await claimOnce(claimant, wanted);
        }
        const { items, assignmentsRevision } = claims;
        const isNews =
          capabilities.includes(Capability.POLL_SOURCE) &&
          assignmentsRevision !== request.assignmentsRevision;
        const leftMs = until - clock.monotonic();
        if (items.length > 0 || isNews || leftMs <= 0 || giveUp.aborted) {
          if (context.signal.aborted) await release(claimant, items);
          for (const item of items) {
            metrics.workClaimed(item.kind, Math.max(0, -item.startInMs) / 1000, item.skippedNow);
          }
          const [sent, networkPolicy] = await Promise.all([
            toItems(workspaceId, items),
            policyOf(workspaceId, zoneId),
          ]);
          return {
            items: sent,
            assignmentsRevision,
            assignmentLease: durationFromMs(WORKER_LEASE_MS),
            networkPolicy,
            capabilities,
          };
        }
        const nextMs = wanted.polls > 0 ? await nextPollInMs(pool, claimant) : undefined;
        const dueMs =
          nextMs === undefined ? leftMs : Math.max(LEAST_WAIT_MS, nextMs - wanted.aheadMs);
        await listener.next(Math.min(leftMs, dueMs), giveUp);
      }
    },

    async renewLeases({ processId, claims }, context) {
      const reporter = reporterOf(context, processId);
      await presence.renew(reporter);
      const leases = await renewClaims(pool, reporter, claims.map(nameClaim));
      return {
        renewals: leases.map((leaseMs) =>
          leaseMs === undefined
            ? { problem: stale }
            : { lease: durationFromMs(Math.floor(leaseMs)) },
        ),
      };
    },

    async reportWork({ processId, reports }, context) {
      const reporter = reporterOf(context, processId);
      await presence.renew(reporter);
      const verdicts = await reportWork({ pool, ingest }, reporter, reports);
      for (const { kind } of verdicts) metrics.workReported("claim", kind);
      return { results: verdicts.map(toResult) };
    },

    async reportProgress({ processId, claim, phase, message, elapsed }, context) {
      const reporter = reporterOf(context, processId);
      const elapsedMs = elapsed ? durationMs(elapsed) : null;
      const step = { phase, message, elapsedMs };
      if (!(await recordStep(pool, reporter, nameClaim(claim), step))) {
        throw problem(Code.FailedPrecondition, Reason.STALE_CLAIM, LOST);
      }
      return {};
    },

    async syncAssignments({ sinceRevision }, context) {
      const { workspaceId, edgeId: collectorId, zoneId } = collectorOf(context);
      const at = { workspaceId, collectorId };
      const networkPolicy = await policyOf(workspaceId, zoneId);
      return syncAssignments({ queries: pool, vault, log, networkPolicy }, at, sinceRevision);
    },

    async reportOutageRuns({ processId, runs }, context) {
      const reporter = reporterOf(context, processId);
      const verdicts = await takeOutageRuns({ pool, ingest }, reporter, runs);
      for (const { kind } of verdicts) metrics.workReported("outage", kind);
      return { results: verdicts.map(toResult) };
    },
  };
}

/** Half of a millisecond late is on time. */
const SOON_MS = 1;

function toItem(
  item: ClaimedItem,
  message: Message | undefined,
  open: (sealed: Buffer) => Buffer,
): MessageInitShape<typeof WorkItemSchema> {
  return {
    workId: item.workId,
    claimToken: item.token,
    fence: item.fence,
    lease: durationFromMs(item.leaseMs),
    executionBudget: durationFromMs(item.budgetMs),
    ...(item.kind === "poll" &&
      item.startInMs >= SOON_MS && { startIn: durationFromMs(Math.floor(item.startInMs)) }),
    task: taskOf(item, message, open),
  };
}

function taskOf(
  item: ClaimedItem,
  message: Message | undefined,
  open: (sealed: Buffer) => Buffer,
): NonNullable<MessageInitShape<typeof WorkItemSchema>["task"]> {
  switch (item.kind) {
    case "poll":
      return {
        case: "poll",
        value: {
          sourceId: item.subjectId,
          assignmentRevision: item.assignmentRevision,
          scheduledTime: timestampFromMs(item.dueMs),
        },
      };
    case "test":
      if (!item.task) throw new Error("a test has no task");
      return { case: "test", value: fromBinary(TestTaskSchema, open(item.task)) };
    case "deliver": {
      if (message?.kind !== "webhook") throw new Error("a delivery has no message for a collector");
      const { deliveryId, url, headers, secretHeaders, body, caPem } = message;
      const all = { ...secretHeaders, ...headers };
      const tls = caPem === "" ? {} : { tls: { caPem } };
      return { case: "deliver", value: { deliveryId, url, headers: all, body, ...tls } };
    }
  }
}
