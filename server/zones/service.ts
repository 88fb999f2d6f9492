import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { Selectable } from "kysely";
import type { ZoneService } from "../../gen/lumetry/v1/zone_service_pb.js";
import { definedOnly } from "../../lib/defined.ts";
import { makeId } from "../../lib/ids.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { brokenConstraint, type Database } from "../db/database.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import * as store from "./store.ts";
import type { ZoneTables } from "./table.ts";

function toZone(row: Selectable<ZoneTables["zones"]>) {
  return {
    zoneId: row.zone_id,
    displayName: row.display_name,
    allowedNetworks: row.allowed_networks,
    createTime: timestampFromDate(row.created_at),
    allowCleartextRelay: row.allow_cleartext_relay,
  };
}

/** Says in the caller's terms why the database refused. */
function explain(error: unknown): unknown {
  switch (brokenConstraint(error)) {
    case "one_zone_per_name":
      return new ConnectError("there is a zone of that name already", Code.AlreadyExists);
    case "edges_belong_to_zones":
      return new ConnectError(
        "the zone still has collectors or agents, revoked ones included",
        Code.FailedPrecondition,
      );
    case "sources_belong_to_zones":
      return new ConnectError("the zone still has sources", Code.FailedPrecondition);
    case "channels_belong_to_zones":
      return new ConnectError(
        "messages of a channel are still delivered in the zone",
        Code.FailedPrecondition,
      );
    case "profiles_belong_to_zones":
      return new ConnectError(
        "hosts still enroll into the zone, by an enrollment profile",
        Code.FailedPrecondition,
      );
    default:
      return error;
  }
}

export function zoneService(db: Database): ServiceImpl<typeof ZoneService> {
  /** One transaction for a change and its line in the audit log. */
  const change = async <T extends Selectable<ZoneTables["zones"]>>(
    context: HandlerContext,
    action: string,
    work: (transaction: Database, workspaceId: string) => Promise<T>,
  ): Promise<T> => {
    const person = personOf(context);
    try {
      return await db.transaction().execute(async (transaction) => {
        const zone = await work(transaction, person.workspaceId);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action,
          target: { id: zone.zone_id, name: zone.display_name },
          details: {
            allowedNetworks: zone.allowed_networks,
            allowCleartextRelay: zone.allow_cleartext_relay,
          },
        });
        return zone;
      });
    } catch (error) {
      throw explain(error);
    }
  };

  return {
    async createZone(request, context) {
      const zone = await change(context, "zone.created", (transaction, workspaceId) =>
        store.insertZone(transaction, {
          workspace_id: workspaceId,
          zone_id: makeId("zon"),
          display_name: request.displayName,
          allowed_networks: request.allowedNetworks,
          ...definedOnly({ allow_cleartext_relay: request.allowCleartextRelay }),
        }),
      );
      return { zone: toZone(zone) };
    },

    async getZone({ zoneId }, context) {
      const zone = await store.findZone(db, personOf(context).workspaceId, zoneId);
      if (!zone) throw notFound("zone", zoneId);
      return { zone: toZone(zone) };
    },

    async listZones(request, context) {
      const page = readPage(request, 1);
      const found = await store.listZones(db, personOf(context).workspaceId, page, request.search);
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.display_name]);
      return { zones: rows.map(toZone), nextPageToken };
    },

    async updateZone(request, context) {
      const zone = await change(context, "zone.updated", async (transaction, workspaceId) => {
        const change = definedOnly({
          display_name: request.displayName,
          allowed_networks: request.allowedNetworks?.prefixes,
          allow_cleartext_relay: request.allowCleartextRelay,
        });
        const updated = await store.updateZone(transaction, workspaceId, request.zoneId, change);
        if (!updated) throw notFound("zone", request.zoneId);
        return updated;
      });
      return { zone: toZone(zone) };
    },

    async deleteZone({ zoneId }, context) {
      await change(context, "zone.deleted", async (transaction, workspaceId) => {
        const deleted = await store.deleteZone(transaction, workspaceId, zoneId);
        if (!deleted) throw notFound("zone", zoneId);
        return deleted;
      });
      return {};
    },
  };
}
