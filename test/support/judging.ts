import type { Client } from "@connectrpc/connect";
import { type Alert, Alert_State as State } from "../../gen/lumetry/v1/alert_pb.js";
import { AlertService } from "../../gen/lumetry/v1/alert_service_pb.js";
import { RuleService } from "../../gen/lumetry/v1/rule_service_pb.js";
import { eventually } from "./eventually.ts";
import { addSender, seriesOf } from "./points.ts";
import { aboveBound, type Settings } from "./rules.ts";
import type { Owner, TestServer } from "./server.ts";

const ALL = [State.PENDING, State.FIRING, State.RESOLVED];

/** A rule on a metric of its own, and who sends points of it. */
export interface TestRule {
  ruleId: string;
  metric: string;
  send(host: string, ...points: [ms: number, value: number][]): Promise<unknown>;
  /** Changes some of its settings. */
  edit(settings: Partial<Settings>): Promise<void>;
  /** Its alerts, oldest first. */
  list(): Promise<Alert[]>;
  /** Waits until the rules have read the log up to so long after what came last, then tells the alerts. */
  settled(laterMs?: number): Promise<Alert[]>;
}

export interface Rules {
  rules: Client<typeof RuleService>;
  alerts: Client<typeof AlertService>;
  /** Above 90, at once, unless told otherwise. */
  addRule(settings?: Partial<Settings>): Promise<TestRule>;
}

export async function openRules(server: TestServer, owner: Owner): Promise<Rules> {
  const sender = await addSender(server, owner.token);
  const rules = server.client(RuleService, owner.token);
  const alerts = server.client(AlertService, owner.token);
  let made = 0;
  const addRule = async (settings: Partial<Settings> = {}): Promise<TestRule> => {
    made += 1;
    const metric = `test.m${made}`;
    const { rule } = await rules.createRule({ settings: aboveBound(metric, settings) });
    const ruleId = rule?.ruleId ?? "";
    const list = async () => (await alerts.listAlerts({ ruleId, states: ALL })).alerts.toReversed();
    return {
      ruleId,
      metric,
      list,
      send: (host, ...points) =>
        sender.metrics.writeMetrics({ series: [seriesOf(metric, { host }, ...points)] }),
      edit: async (change) => {
        const found = await rules.getRule({ ruleId });
        if (!found.rule?.settings) throw new Error("no settings");
        // Without its name it is no message yet, and may hold what is none.
        const { $typeName: _name, ...before } = found.rule.settings;
        await rules.updateRule({ ruleId, settings: { ...before, ...change } as Settings });
      },
      settled: async (laterMs = 0) => {
        await eventually("all is judged", async () => {
          const [row] = await server.sql<{ done: boolean }>(
            `select holder is not null and read_through >= (
               select max(arrived_at) + $1 * interval '1 ms' from segments
             ) as done from readers where reader = 'rules' and workspace_id = $2`,
            [laterMs, owner.workspaceId],
          );
          return row?.done;
        });
        return list();
      },
    };
  };
  return { rules, alerts, addRule };
}
