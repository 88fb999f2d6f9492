import type { ServiceImpl } from "@connectrpc/connect";
import { Alert_State as State } from "../../gen/lumetry/v1/alert_pb.js";
import type { AlertService } from "../../gen/lumetry/v1/alert_service_pb.js";
import { personOf } from "../context.ts";
import type { Database } from "../db/database.ts";
import { cutPage, readPage } from "../page.ts";
import { notFound } from "../problem.ts";
import { evidenceOf, severitiesOf, statesOf, toAlert, toTransition } from "./shape.ts";
import * as store from "./store.ts";

const OPEN = [State.PENDING, State.FIRING];

export function alertService(db: Database): ServiceImpl<typeof AlertService> {
  return {
    async getAlert({ alertId }, context) {
      const { workspaceId } = personOf(context);
      const row = await store.findAlert(db, workspaceId, alertId);
      if (!row) throw notFound("alert", alertId);
      const transitions = await store.listTransitions(db, workspaceId, alertId);
      return {
        alert: { ...toAlert(row), ...evidenceOf(row) },
        transitions: transitions.map(toTransition),
      };
    },

    async listAlerts(request, context) {
      const { ruleId, systemKind, edgeId, labels, unsuppressedOnly } = request;
      const page = readPage(request, 1);
      const found = await store.listAlerts(db, personOf(context).workspaceId, page, {
        states: statesOf(request.states.length > 0 ? request.states : OPEN),
        severities: severitiesOf(request.severities),
        ruleId,
        systemKind,
        edgeId,
        labels,
        unsuppressedOnly,
      });
      const { rows, nextPageToken } = cutPage(found, page, (row) => [row.alert_id]);
      return { alerts: rows.map(toAlert), nextPageToken };
    },
  };
}
