import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type {
  IngestionKeySchema,
  IngestionKeyService,
} from "../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { hashSecret, makeSecret } from "../../lib/secret.ts";
import { refuseReservedLabels } from "../access/labels.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import * as store from "./store.ts";

function toIngestionKey(row: store.IngestionKeyRow): MessageInitShape<typeof IngestionKeySchema> {
  return {
    ingestionKeyId: row.ingestion_key_id,
    displayName: row.display_name,
    labels: row.labels,
    createTime: timestampFromDate(row.created_at),
    ...(row.expires_at && { expireTime: timestampFromDate(row.expires_at) }),
    ...(row.revoked_at && { revokeTime: timestampFromDate(row.revoked_at) }),
  };
}

const asTarget = (row: store.IngestionKeyRow) => ({
  id: row.ingestion_key_id,
  name: row.display_name,
});

export function ingestionKeyService({
  db,
  authenticator,
}: Parts): ServiceImpl<typeof IngestionKeyService> {
  return {
    async createIngestionKey({ displayName, labels, lifetime }, context) {
      const person = personOf(context);
      refuseReservedLabels(labels);
      const secret = makeSecret("lmtik");
      const key = await db.transaction().execute(async (transaction) => {
        const created = await store.insertIngestionKey(transaction, person.workspaceId, {
          ingestionKeyId: makeId("key"),
          displayName,
          labels,
          secretHash: hashSecret(secret),
          lifetimeMs: lifetime && durationMs(lifetime),
        });
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: "ingestion_key.created",
          target: asTarget(created),
          details: { labels, expireTime: created.expires_at },
        });
        return created;
      });
      return { ingestionKey: toIngestionKey(key), secret };
    },

    async listIngestionKeys(request, context) {
      const page = readPage(request, 1);
      const found = await store.listIngestionKeys(
        db,
        personOf(context).workspaceId,
        page,
        request.search,
      );
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.ingestion_key_id]);
      return { ingestionKeys: rows.map(toIngestionKey), nextPageToken };
    },

    async revokeIngestionKey({ ingestionKeyId }, context) {
      const person = personOf(context);
      const key = await db.transaction().execute(async (transaction) => {
        const found = await store.lockIngestionKey(transaction, person.workspaceId, ingestionKeyId);
        if (!found) throw notFound("ingestion key", ingestionKeyId);
        if (found.revoked_at) return found;
        const revoked = await store.revokeIngestionKey(transaction, found);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action: "ingestion_key.revoked",
          target: asTarget(revoked),
        });
        return revoked;
      });
      authenticator.forget(
        (caller) =>
          caller.kind === "ingestion_key" && caller.ingestionKeyId === key.ingestion_key_id,
      );
      return { ingestionKey: toIngestionKey(key) };
    },
  };
}
