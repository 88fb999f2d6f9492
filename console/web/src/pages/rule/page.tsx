import { Code, ConnectError } from "@connectrpc/connect";
import { useMutation, useQuery } from "@connectrpc/connect-query";
import { useState } from "react";
import { Link, useLocation, useParams } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  RuleSettings_DaySchema as DaySchema,
  type Rule,
} from "../../../../../gen/lumetry/v1/rule_pb.js";
import { RuleService } from "../../../../../gen/lumetry/v1/rule_service_pb.js";
import { RulePreview } from "../../alerting/rule-preview.tsx";
import { RuleTag } from "../../alerting/rule-tag.tsx";
import { conditionText } from "../../alerting/rule-words.ts";
import { SeverityTag } from "../../alerting/severity.tsx";
import { every, PACE, queryClient } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { Nowhere } from "../../frame/nowhere.tsx";
import { Age } from "../../ui/age.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import { Failure, Notice } from "../../ui/notice.tsx";
import { Facts, Page } from "../../ui/page.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";
import { countText, enumWord } from "../../words/counts.ts";
import { labelsText } from "../../words/labels.ts";

export default function RulePage() {
  const { id: ruleId = "" } = useParams<{ id: string }>();
  const { data, error, refetch } = useQuery(
    RuleService.method.getRule,
    { ruleId },
    { refetchInterval: every(PACE.live) },
  );
  const rule = data?.rule;
  if (error instanceof ConnectError && error.code === Code.NotFound) return <Nowhere />;
  if (!rule?.settings) return error ? <Failure error={error} onRetry={() => refetch()} /> : null;
  const { settings } = rule;
  return (
    <Page
      title={settings.displayName}
      name={settings.displayName}
      parent={{ title: "Rules", path: "/rules" }}
      beside={
        <>
          <RuleTag rule={rule} />
          <SeverityTag severity={settings.severity} isOver={settings.disabled} />
        </>
      }
      lead={<span className="foreign">Wrong when {conditionText(settings)}.</span>}
      actions={<Actions rule={rule} />}
    >
      {rule.notEvaluated !== "" && (
        <Notice tone="warn">
          This version of the server does not evaluate the rule: {rule.notEvaluated}. Its alerts
          stay as they are until one that knows it does.
        </Notice>
      )}
      <div className="halves">
        <div className="card padded">
          <Facts
            entries={[
              ["Id", <code key="id">{ruleId}</code>],
              [
                "Metric",
                <Link key="metric" href={`/explore?metric=${encodeURIComponent(settings.metric)}`}>
                  {settings.metric}
                </Link>,
              ],
              [
                "Open alerts",
                <Link key="alerts" href={`/alerts?rule=${ruleId}`}>
                  {countText(rule.firingAlerts)} firing, {countText(rule.pendingAlerts)} pending
                </Link>,
              ],
              ["Labels", labelsText(settings.labels)],
              ["Message", settings.message],
              [
                "Runbook",
                settings.runbookUrl !== "" && (
                  <a href={settings.runbookUrl} target="_blank" rel="noreferrer">
                    {settings.runbookUrl}
                  </a>
                ),
              ],
            ]}
          />
        </div>
        <div className="card padded">
          <Facts
            entries={[
              ["Muted", settings.mutingWindows.map(windowText).join("; ")],
              ["Revision", countText(rule.revision)],
              ["Created", <Age key="created" time={rule.createTime} />],
              ["Changed", <Age key="changed" time={rule.updateTime} />],
            ]}
          />
        </div>
      </div>
      <RulePreview settings={settings} />
    </Page>
  );
}

type Window = NonNullable<Rule["settings"]>["mutingWindows"][number];

/** "monday, friday 22:00 to 06:00 Europe/Berlin". */
function windowText({ days, start, end, timeZone }: Window): string {
  const on = days.length > 0 ? days.map((day) => enumWord(DaySchema, day)).join(", ") : "every day";
  return `${on} ${start} to ${end} ${timeZone || "UTC"}`;
}

function Actions({ rule }: { rule: Rule }) {
  const self = useSelf();
  const [, navigate] = useLocation();
  const [isDeleting, setDeleting] = useState(false);
  const { ruleId, settings } = rule;
  const name = settings?.displayName ?? "";
  const refresh = () => queryClient.invalidateQueries();
  const update = useMutation(RuleService.method.updateRule, { onSuccess: refresh });
  const remove = useMutation(RuleService.method.deleteRule, {
    onSuccess: () => {
      say(`${name} is deleted, and its open alerts are over.`);
      navigate("/rules");
      refresh();
    },
  });
  if (!self.may(Role.OPERATOR) || !settings) return null;
  const toggle = async () => {
    const set = (disabled: boolean) =>
      update.mutateAsync({ ruleId, settings: { ...settings, disabled } });
    try {
      await set(!settings.disabled);
    } catch (error) {
      return sayFailure(error);
    }
    say(settings.disabled ? `${name} is in force again.` : `${name} is off.`, {
      label: "Undo",
      run: () => set(settings.disabled),
    });
  };
  return (
    <>
      <Link className="button" data-kind="main" href={`/rules/${ruleId}/edit`}>
        Edit
      </Link>
      <Menu trigger={<Button icon="more">Actions</Button>}>
        <MenuItem onClick={() => void toggle()}>
          {settings.disabled ? "Switch on" : "Switch off"}
        </MenuItem>
        <MenuLine />
        <MenuItem tone="bad" onClick={() => setDeleting(true)}>
          Delete…
        </MenuItem>
      </Menu>
      <Confirm
        open={isDeleting}
        onClose={() => setDeleting(false)}
        title={`Delete the rule ${name}`}
        submit="Delete"
        word={name}
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate({ ruleId })}
      >
        <p>Nothing is judged by it any more, and its open alerts end.</p>
      </Confirm>
    </>
  );
}
