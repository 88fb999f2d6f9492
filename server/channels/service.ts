import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { ChannelService } from "../../gen/lumetry/v1/channel_service_pb.js";
import { makeId } from "../../lib/ids.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import { brokenConstraint, type Database } from "../db/database.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import type { Parts } from "../routes.ts";
import { channelPlace } from "../sealing/store.ts";
import { workTopic } from "../work/signals.ts";
import { findZone } from "../zones/store.ts";
import { enqueueDeliveries } from "./outbox.ts";
import { checkHeaders, checkKind, checkSecret, shownUrl, targetOf } from "./rules.ts";
import { kindOf, statesOf, toChannel, toDelivery } from "./shape.ts";
import { makeWebhookSecret } from "./signing.ts";
import * as store from "./store.ts";
import type { ChannelKind } from "./table.ts";

const OVERLAP_MS = 86_400_000;
/** So long a person waits for what comes of a test message. */
const TEST_WAIT_MS = 20_000;
function explain(error: unknown): unknown {
  switch (brokenConstraint(error)) {
    case "one_channel_per_name":
      return new ConnectError("there is a channel of that name already", Code.AlreadyExists);
    case "routes_lead_to_channels":
      return new ConnectError(
        "a notification route still leads to the channel: change or remove that first",
        Code.FailedPrecondition,
      );
    default:
      return error;
  }
}

export function channelService(parts: Parts): ServiceImpl<typeof ChannelService> {
  const { db, vault, signals, clock, settings } = parts;

  const show = async (workspaceId: string, channelId: string) => {
    const row = await store.findChannel(db, workspaceId, channelId);
    if (!row) throw notFound("channel", channelId);
    return { channel: toChannel(row) };
  };

  const showDelivery = async (workspaceId: string, deliveryId: string) => {
    const row = await store.findDelivery(db, workspaceId, deliveryId);
    if (!row) throw notFound("delivery", deliveryId);
    return { delivery: toDelivery(row, await store.listAttempts(db, workspaceId, deliveryId)) };
  };

  const sealSecret = (
    transaction: Database,
    at: { workspaceId: string; channelId: string },
    secret: string,
  ) =>
    vault.seal(
      transaction,
      Buffer.from(secret),
      channelPlace(at.workspaceId, at.channelId, "secret"),
    );

  /** The whole url, where a part of it is a secret. */
  const sealUrl = async (
    transaction: Database,
    at: { workspaceId: string; channelId: string },
    kind: ChannelKind,
    url: string,
  ) =>
    kind === "slack"
      ? vault.seal(transaction, Buffer.from(url), channelPlace(at.workspaceId, at.channelId, "url"))
      : null;

  const sealHeaders = async (
    transaction: Database,
    at: { workspaceId: string; channelId: string; target: string },
    headers: Readonly<Record<string, string>>,
  ) => {
    checkHeaders(headers);
    const headerNames = Object.keys(headers).sort();
    if (headerNames.length === 0) return { headers: null, headerNames };
    const place = channelPlace(at.workspaceId, at.channelId, at.target);
    const plain = Buffer.from(JSON.stringify(headers));
    return { headers: await vault.seal(transaction, plain, place), headerNames };
  };

  const requireZone = async (transaction: Database, workspaceId: string, zoneId: string) => {
    if (zoneId === "") return null;
    if (!(await findZone(transaction, workspaceId, zoneId))) throw notFound("zone", zoneId);
    return zoneId;
  };

  /** Changes one channel, with a line in the audit log, in one transaction. */
  const change = async <T>(
    context: HandlerContext,
    channelId: string,
    action: string,
    work: (transaction: Database, channel: store.Channel) => Promise<T>,
    details: (result: T) => Record<string, unknown> = () => ({}),
  ): Promise<T> => {
    const person = personOf(context);
    try {
      return await db.transaction().execute(async (transaction) => {
        const channel = await store.lockChannel(transaction, person.workspaceId, channelId);
        if (!channel) throw notFound("channel", channelId);
        const result = await work(transaction, channel);
        await recordChange(transaction, person.workspaceId, person, originOf(context), {
          action,
          target: { id: channelId, name: channel.display_name },
          details: details(result),
        });
        return result;
      });
    } catch (error) {
      throw explain(error);
    }
  };

  return {
    async createChannel(request, context) {
      const person = personOf(context);
      const { workspaceId } = person;
      const { displayName, url, caPem, recipients } = request;
      const kind = kindOf(request.kind);
      checkKind(kind, request);
      if (kind === "email" && !settings.smtpUrl) {
        throw new ConnectError(
          "this server has no mail server to hand e-mail to: start it with --smtp-url and --mail-from",
          Code.FailedPrecondition,
        );
      }
      const channelId = makeId("chn");
      const isSigned = kind !== "email";
      const target = isSigned ? targetOf(url) : "";
      const given = request.secret === "" ? makeWebhookSecret() : checkSecret(request.secret);
      const secret = isSigned ? given : "";
      try {
        await db.transaction().execute(async (transaction) => {
          const at = { workspaceId, channelId, target };
          await store.insertChannel(transaction, {
            ...at,
            kind,
            displayName,
            url: isSigned ? shownUrl(kind, url) : "",
            sealedUrl: await sealUrl(transaction, at, kind, url),
            recipients,
            caPem,
            zoneId: await requireZone(transaction, workspaceId, request.zoneId),
            ...(await sealHeaders(transaction, at, request.headers)),
            secret: isSigned ? await sealSecret(transaction, at, secret) : null,
          });
          await recordChange(transaction, workspaceId, person, originOf(context), {
            action: "channel.created",
            target: { id: channelId, name: displayName },
            details: { kind, target, recipients, zoneId: request.zoneId },
          });
        });
      } catch (error) {
        throw explain(error);
      }
      return { ...(await show(workspaceId, channelId)), secret };
    },

    getChannel: ({ channelId }, context) => show(personOf(context).workspaceId, channelId),

    async listChannels(request, context) {
      const page = readPage(request, 1);
      const found = await store.listChannels(
        db,
        personOf(context).workspaceId,
        page,
        request.search,
      );
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.display_name]);
      return { channels: rows.map(toChannel), nextPageToken };
    },

    async updateChannel(request, context) {
      const { channelId, displayName, url, zoneId, headers, caPem, recipients } = request;
      await change(
        context,
        channelId,
        "channel.updated",
        async (transaction, channel) => {
          const { workspace_id: workspaceId, kind } = channel;
          const isMail = kind === "email";
          if (isMail ? url || zoneId || headers || caPem : recipients) {
            throw new ConnectError(
              isMail
                ? "of a channel of e-mail, the name and the recipients can be changed"
                : "recipients are for channels of e-mail only",
              Code.InvalidArgument,
            );
          }
          const target = url === undefined ? channel.target : targetOf(url);
          if (channel.headers && !headers && target !== channel.target) {
            throw new ConnectError(
              `the secret headers are bound to ${channel.target}, and would go to ${target}: give them again, or an empty set to remove them`,
              Code.FailedPrecondition,
            );
          }
          const sealed =
            headers &&
            (await sealHeaders(transaction, { workspaceId, channelId, target }, headers.headers));
          const changed: store.ChannelChange = {
            ...(displayName !== undefined && { display_name: displayName }),
            ...(url !== undefined && {
              url: shownUrl(kind, url),
              sealed_url: await sealUrl(transaction, { workspaceId, channelId }, kind, url),
              target,
            }),
            ...(recipients && { recipients: recipients.addresses }),
            ...(zoneId !== undefined && {
              zone_id: await requireZone(transaction, workspaceId, zoneId),
            }),
            ...(sealed && { headers: sealed.headers, header_names: sealed.headerNames }),
            ...(caPem !== undefined && { ca_pem: caPem }),
          };
          await store.updateChannel(transaction, channel, changed);
          return Object.keys(changed);
        },
        (changed) => ({ changed }),
      );
      return show(personOf(context).workspaceId, channelId);
    },

    async rotateChannelSecret({ channelId, overlap, secret: given }, context) {
      const secret = given === "" ? makeWebhookSecret() : checkSecret(given);
      const overlapMs = overlap ? durationMs(overlap) : OVERLAP_MS;
      await change(context, channelId, "channel.secret_rotated", async (transaction, channel) => {
        if (!channel.secret) {
          throw new ConnectError("e-mail is not signed: it has no secret", Code.FailedPrecondition);
        }
        const at = { workspaceId: channel.workspace_id, channelId };
        const sealed = await sealSecret(transaction, at, secret);
        await store.rotateSecret(transaction, channel, sealed, overlapMs);
      });
      return { ...(await show(personOf(context).workspaceId, channelId)), secret };
    },

    async deleteChannel({ channelId }, context) {
      await change(context, channelId, "channel.deleted", store.deleteChannel);
      return {};
    },

    async sendTestMessage({ channelId }, context) {
      const person = personOf(context);
      const deliveryId = await change(
        context,
        channelId,
        "channel.tested",
        async (transaction, channel) => {
          const made = makeId("dlv");
          const data = { channel: channel.display_name, sentBy: person.displayName };
          await enqueueDeliveries(transaction, channel.workspace_id, [
            { channelId, deliveryId: made, event: { type: "channel.test", data } },
          ]);
          return made;
        },
        (id) => ({ deliveryId: id }),
      );
      const until = clock.monotonic() + TEST_WAIT_MS;
      const first = await store.findDelivery(db, person.workspaceId, deliveryId);
      using listener = signals.listen([workTopic(person.workspaceId, first?.work_id ?? "")]);
      for (;;) {
        const answer = await showDelivery(person.workspaceId, deliveryId);
        const leftMs = until - clock.monotonic();
        if ((answer.delivery.attemptCount ?? 0) > 0 || leftMs <= 0) return answer;
        await listener.next(Math.min(leftMs, 1_000), context.signal);
        context.signal.throwIfAborted();
      }
    },

    getDelivery: ({ deliveryId }, context) =>
      showDelivery(personOf(context).workspaceId, deliveryId),

    async listDeliveries(request, context) {
      const { workspaceId } = personOf(context);
      const page = readPage(request, 1);
      const found = await store.listDeliveries(db, workspaceId, page, {
        channelId: request.channelId,
        states: statesOf(request.statuses),
      });
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.delivery_id]);
      return { deliveries: rows.map((row) => toDelivery(row)), nextPageToken };
    },

    async resendDelivery({ deliveryId }, context) {
      const { workspaceId } = personOf(context);
      const delivery = await store.findDelivery(db, workspaceId, deliveryId);
      if (!delivery) throw notFound("delivery", deliveryId);
      await change(
        context,
        delivery.channel_id,
        "delivery.resent",
        async (transaction) => {
          if (await store.resend(transaction, workspaceId, deliveryId)) return;
          throw new ConnectError(
            "the delivery is not dead: it was delivered, or is still being tried",
            Code.FailedPrecondition,
          );
        },
        () => ({ deliveryId }),
      );
      return showDelivery(workspaceId, deliveryId);
    },
  };
}
