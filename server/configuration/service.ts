import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { ConfigurationService } from "../../gen/lumetry/v1/configuration_service_pb.js";
import { readConfigDocument } from "../../lib/config-document.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { lockEdge } from "../edges/store.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound, problem, Reason } from "../problem.ts";
import { hasOwnConfig, settleRevision, withdrawOwn } from "./store.ts";
import { findTarget, type Revision, type Target } from "./targets.ts";

const NOUNS: Record<string, string> = { col: "collector", agt: "agent", epr: "enrollment profile" };

const nothingAt = (targetId: string) =>
  notFound(NOUNS[targetId.split(".", 1)[0] ?? ""] ?? "collector, agent or profile", targetId);

function noRevision(revision: bigint): ConnectError {
  const words =
    revision === 0n
      ? "nothing has been published here yet; the defaults apply"
      : `there is no revision ${revision}`;
  return new ConnectError(words, Code.NotFound);
}

/** Configuration as people see it: publish, look back, go back. */
export function configurationService(db: Database): ServiceImpl<typeof ConfigurationService> {
  const require = async (context: HandlerContext, targetId: string): Promise<Target> => {
    const { workspaceId } = personOf(context);
    const target = await findTarget(db, workspaceId, targetId, "unlocked");
    if (!target) throw nothingAt(targetId);
    return target;
  };

  /** Works on a target under its lock, in one transaction. */
  const change = <T>(
    context: HandlerContext,
    targetId: string,
    work: (target: Target, transaction: Database) => Promise<T>,
  ): Promise<T> =>
    db.transaction().execute(async (transaction) => {
      const { workspaceId } = personOf(context);
      const target = await findTarget(transaction, workspaceId, targetId, "locked");
      if (!target) throw nothingAt(targetId);
      return work(target, transaction);
    });

  /** Makes the next revision of a document, with its line in the audit log. */
  const publish = async (
    context: HandlerContext,
    targetId: string,
    target: Target,
    transaction: Database,
    { document, revertedFrom }: { document: string; revertedFrom: bigint },
  ): Promise<Revision | undefined> => {
    const person = personOf(context);
    const revision = target.latestRevision + 1n;
    const publishedBy = person.displayName;
    await target.insert({ revision, document, publishedBy, revertedFrom });
    await recordChange(transaction, person.workspaceId, person, originOf(context), {
      action: revertedFrom ? "config.reverted" : "config.published",
      target: { id: targetId, name: target.displayName },
      details: { revision: Number(revision), revertedFrom: Number(revertedFrom) },
    });
    return target.latest();
  };

  return {
    async publishConfiguration({ targetId, document, expectedRevision, validateOnly }, context) {
      const reading = readConfigDocument(document);
      if (!reading.valid) {
        throw problem(Code.InvalidArgument, Reason.CONFIG_INVALID, reading.problem);
      }
      const { unknownKeys } = reading;
      return change(context, targetId, async (target, transaction) => {
        const latest = target.latestRevision;
        if (expectedRevision !== undefined && expectedRevision !== latest) {
          throw problem(
            Code.Aborted,
            Reason.CONFLICT,
            `the latest revision is ${latest}, not ${expectedRevision}: somebody published meanwhile; look at it and decide again`,
          );
        }
        if (validateOnly) return { unknownKeys };
        const publication = { document, revertedFrom: 0n };
        const config = await publish(context, targetId, target, transaction, publication);
        return { ...(config && { config }), unknownKeys };
      });
    },

    async getConfiguration({ targetId, revision }, context) {
      const target = await require(context, targetId);
      const config = revision === 0n ? await target.latest() : await target.find(revision);
      if (!config) throw noRevision(revision);
      return { config };
    },

    async listConfigurations(request, context) {
      const page = readPage(request, 1);
      const target = await require(context, request.targetId);
      const found = await target.list(page);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [String(row.revision)]);
      return { configs: rows, nextPageToken };
    },

    revertConfiguration: ({ targetId, revision }, context) =>
      change(context, targetId, async (target, transaction) => {
        const earlier = await target.find(revision);
        if (!earlier) throw noRevision(revision);
        const publication = { document: earlier.document, revertedFrom: revision };
        const config = await publish(context, targetId, target, transaction, publication);
        return { ...(config && { config }) };
      }),

    withdrawConfiguration: ({ targetId }, context) =>
      change(context, targetId, async (target, transaction) => {
        const person = personOf(context);
        const key = { workspace_id: person.workspaceId, edge_id: targetId };
        const isOwn = await hasOwnConfig(transaction, key);
        if (!isOwn) {
          throw new ConnectError(
            isOwn === undefined
              ? "only an agent has another configuration to go back to, its profile's; publish a document in place of this one"
              : "nothing has been published for this agent alone; its profile's configuration applies already",
            Code.FailedPrecondition,
          );
        }
        await withdrawOwn(transaction, key);
        const edge = await lockEdge(transaction, key.workspace_id, targetId);
        if (edge) await settleRevision(transaction, edge);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: "config.withdrawn",
          target: { id: targetId, name: target.displayName },
        });
        return {};
      }),
  };
}
