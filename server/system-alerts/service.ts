import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { Severity } from "../../gen/lumetry/v1/severity_pb.js";
import type {
  SystemAlertKind,
  SystemAlertService,
  SystemAlertSettingsSchema,
  UpdateSystemAlertKindRequest,
  WatchedKindSchema,
} from "../../gen/lumetry/v1/system_alert_service_pb.js";
import { definedOnly } from "../../lib/defined.ts";
import type { Severity as SeverityName } from "../alerts/table.ts";
import { recordChange } from "../audit/store.ts";
import { originOf, personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import {
  ALL_KINDS,
  KINDS,
  type KindSettings,
  kindName,
  type ThresholdForm,
  type WatchableKind,
} from "./kinds.ts";
import * as settings from "./settings.ts";
import { type Counts, countOpen, hurry } from "./store.ts";

const SEVERITIES: Record<SeverityName, Severity> = {
  info: Severity.INFO,
  warning: Severity.WARNING,
  critical: Severity.CRITICAL,
};

/** What a threshold of a form is called in messages to people. */
const FORMS: Record<ThresholdForm, string> = {
  heartbeats: "a number of heartbeats",
  span: "a span of time",
  percent: "a percentage",
};

function toSettings(
  form: ThresholdForm | undefined,
  own: KindSettings,
): MessageInitShape<typeof SystemAlertSettingsSchema> {
  return {
    enabled: own.enabled,
    severity: SEVERITIES[own.severity],
    holdDown: durationFromMs(own.holdDownMs),
    recovery: durationFromMs(own.recoveryMs),
    ...(form === "span" && {
      threshold: { case: form, value: durationFromMs(own.threshold) },
    }),
    ...((form === "heartbeats" || form === "percent") && {
      threshold: { case: form, value: own.threshold },
    }),
  };
}

function toKind(
  kind: WatchableKind,
  own: KindSettings,
  counts: Counts | undefined,
): MessageInitShape<typeof WatchedKindSchema> {
  const { title, description, form, defaults } = KINDS[kind];
  return {
    kind,
    title,
    description,
    settings: toSettings(form, own),
    defaults: toSettings(form, defaults),
    firing: BigInt(counts?.firing ?? 0),
    suppressed: BigInt(counts?.suppressed ?? 0),
    pending: BigInt(counts?.pending ?? 0),
  };
}

/** The threshold that a request gives, which has to be of the kind's form. */
function readThreshold(
  kind: WatchableKind,
  { threshold }: UpdateSystemAlertKindRequest,
): number | undefined {
  if (threshold.case === undefined) return undefined;
  const { form } = KINDS[kind];
  if (threshold.case !== form) {
    const instead = form ? `it has ${FORMS[form]}` : "it has none";
    throw new ConnectError(
      `the threshold of ${kindName(kind)} cannot be ${FORMS[threshold.case]}: ${instead}`,
      Code.InvalidArgument,
    );
  }
  return threshold.case === "span" ? durationMs(threshold.value) : threshold.value;
}

export function systemAlertService(db: Database): ServiceImpl<typeof SystemAlertService> {
  const list = async (workspaceId: string) => {
    const [own, counts] = await Promise.all([
      settings.readSettings(db, workspaceId),
      countOpen(db, workspaceId),
    ]);
    return ALL_KINDS.map((kind) => toKind(kind, own[kind], counts.get(kind)));
  };

  /** A change with its line in the audit log; it is in force at the next look, which comes at once. */
  const change = async (
    context: HandlerContext,
    kind: WatchableKind,
    action: string,
    work: (transaction: Database, workspaceId: string) => Promise<void>,
    details: Record<string, unknown> = {},
  ) => {
    const person = personOf(context);
    const { workspaceId } = person;
    await db.transaction().execute(async (transaction) => {
      await work(transaction, workspaceId);
      await hurry(transaction, workspaceId);
      await recordChange(transaction, workspaceId, person, originOf(context), {
        action,
        target: { id: kindName(kind), name: KINDS[kind].title },
        details,
      });
    });
    const kinds = await list(workspaceId);
    const changed = kinds.find((each) => each.kind === kind);
    return changed ? { kind: changed } : {};
  };

  return {
    async listSystemAlertKinds(_request, context) {
      return { kinds: await list(personOf(context).workspaceId) };
    },

    async updateSystemAlertKind(request, context) {
      const kind = watchable(request.kind);
      const severity = Object.entries(SEVERITIES).find(([, value]) => value === request.severity);
      const wanted: Partial<KindSettings> = definedOnly({
        enabled: request.enabled,
        severity: severity?.[0] as SeverityName | undefined,
        threshold: readThreshold(kind, request),
        holdDownMs: request.holdDown && durationMs(request.holdDown),
        recoveryMs: request.recovery && durationMs(request.recovery),
      });
      return change(
        context,
        kind,
        "system_alert_kind.updated",
        (transaction, workspaceId) =>
          settings.changeSettings(transaction, workspaceId, kind, wanted),
        wanted,
      );
    },

    async resetSystemAlertKind(request, context) {
      const kind = watchable(request.kind);
      return change(context, kind, "system_alert_kind.reset", (transaction, workspaceId) =>
        settings.resetSettings(transaction, workspaceId, kind),
      );
    },
  };
}

/** The contract lets in nothing else. */
const watchable = (kind: SystemAlertKind) => kind as WatchableKind;
