import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Selectable } from "kysely";
import {
  type ChannelSchema,
  type DeliverySchema,
  Channel_Kind as Kind,
  Delivery_Status as Status,
} from "../../gen/lumetry/v1/channel_service_pb.js";
import { measured } from "../duration.ts";
import type { WorkState } from "../work/table.ts";
import type { ChannelRow, DeliveryRow } from "./store.ts";
import type { ChannelKind, ChannelTables } from "./table.ts";

export const KINDS: Record<ChannelKind, Kind> = {
  webhook: Kind.WEBHOOK,
  slack: Kind.SLACK,
  alertmanager: Kind.ALERTMANAGER,
  email: Kind.EMAIL,
};

/** Unspecified is a webhook. */
export const kindOf = (kind: Kind): ChannelKind =>
  (Object.keys(KINDS) as ChannelKind[]).find((name) => KINDS[name] === kind) ?? "webhook";

/** What a row says, in the contract's terms. */
export function toChannel(row: ChannelRow): MessageInitShape<typeof ChannelSchema> {
  return {
    channelId: row.channel_id,
    displayName: row.display_name,
    url: row.url,
    zoneId: row.zone_id ?? "",
    headerNames: row.header_names,
    createTime: timestampFromDate(row.created_at),
    updateTime: timestampFromDate(row.updated_at),
    ...(row.secret && { secretCreateTime: timestampFromDate(row.secret_created_at) }),
    ...(row.has_previous &&
      row.previous_secret_until && {
        previousSecretExpireTime: timestampFromDate(row.previous_secret_until),
      }),
    pendingDeliveries: row.pending,
    deadDeliveries: row.dead,
    caPem: row.ca_pem,
    kind: KINDS[row.kind],
    recipients: row.recipients,
  };
}

const STATUSES: Record<WorkState, Status> = {
  due: Status.PENDING,
  claimed: Status.SENDING,
  done: Status.DELIVERED,
  failed: Status.DEAD,
  expired: Status.DEAD,
};

export const statesOf = (statuses: readonly Status[]): WorkState[] =>
  Object.entries(STATUSES).flatMap(([state, status]) =>
    statuses.includes(status) ? [state as WorkState] : [],
  );

export function toDelivery(
  row: DeliveryRow,
  attempts: readonly Selectable<ChannelTables["delivery_attempts"]>[] = [],
): MessageInitShape<typeof DeliverySchema> {
  return {
    deliveryId: row.delivery_id,
    channelId: row.channel_id,
    eventType: row.event_type,
    status: STATUSES[row.state],
    createTime: timestampFromDate(row.created_at),
    attemptCount: row.attempts,
    ...(row.state === "due" && { nextAttemptTime: timestampFromDate(row.due_at) }),
    ...(row.expires_at && row.ended_at === null
      ? { expireTime: timestampFromDate(row.expires_at) }
      : {}),
    ...(row.ended_at && { endTime: timestampFromDate(row.ended_at) }),
    attempts: attempts.map((attempt) => ({
      time: timestampFromDate(attempt.attempted_at),
      collectorId: attempt.collector_id ?? "",
      httpStatus: attempt.http_status,
      failure: attempt.failure,
      ...(attempt.duration_ms !== null && { duration: measured(attempt.duration_ms) }),
    })),
  };
}
