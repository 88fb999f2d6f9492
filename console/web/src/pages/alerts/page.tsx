import { Link } from "wouter";
import { type Alert, Alert_State as State } from "../../../../../gen/lumetry/v1/alert_pb.js";
import { AlertService } from "../../../../../gen/lumetry/v1/alert_service_pb.js";
import type { Severity } from "../../../../../gen/lumetry/v1/severity_pb.js";
import { AlertTag, alertName } from "../../alerting/alert-words.tsx";
import { SEVERITIES, SEVERITY_OPTIONS, SeverityTag } from "../../alerting/severity.tsx";
import { usePages } from "../../client/pages.ts";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { Chip } from "../../ui/chip.tsx";
import { CheckField, Choice } from "../../ui/field.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { labelsText } from "../../words/labels.ts";
import { OneAlert } from "./one-alert.tsx";

const SHOWN = {
  open: [State.PENDING, State.FIRING],
  firing: [State.FIRING],
  resolved: [State.RESOLVED],
};
type Shown = keyof typeof SHOWN;
const LABELS: Record<Shown, string> = {
  open: "Open",
  firing: "Firing",
  resolved: "Over",
};

/** What other pages ask for in the address. */
const NARROWED = [
  { name: "rule", words: "of the rule", remove: "Of every rule" },
  { name: "kind", words: "of the kind", remove: "Of every kind" },
  { name: "edge", words: "about", remove: "About anything" },
];

export default function Alerts() {
  const { get, set } = useAddressed();
  const shown = (Object.hasOwn(SHOWN, get("show")) ? get("show") : "open") as Shown;
  const asked = Number(get("severity")) as Severity;
  const severity = SEVERITIES.includes(asked) ? asked : 0;
  const ruleId = get("rule");
  const systemKind = get("kind");
  const edgeId = get("edge");
  const isExplained = get("explained") === "out";
  const list = usePages(AlertService.method.listAlerts, {
    states: SHOWN[shown],
    severities: severity === 0 ? [] : [severity],
    ruleId,
    systemKind,
    edgeId,
    unsuppressedOnly: isExplained,
  });
  const alerts = list.pages.flatMap((page) => page.alerts);
  const isFiltered = shown !== "open" || severity !== 0 || ruleId + systemKind + edgeId !== "";
  return (
    <Page
      title="Alerts"
      name="Alerts"
      lead="One for each thing that is wrong: found by a rule in what was measured, or by the server in the fleet itself."
    >
      <div className="toolbar">
        <Segments<Shown>
          label="Which are shown"
          value={shown}
          options={(Object.keys(SHOWN) as Shown[]).map((value) => ({
            value,
            label: LABELS[value],
          }))}
          onChange={(value) => set({ show: value === "open" ? "" : value }, true)}
        />
        <Choice<number>
          label="Severity"
          value={severity}
          options={[{ value: 0, label: "All severities" }, ...SEVERITY_OPTIONS]}
          onChange={(value) => set({ severity: value === 0 ? "" : String(value) }, true)}
        />
        <CheckField
          label="Leave out what another explains"
          checked={isExplained}
          onChange={(checked) => set({ explained: checked ? "out" : "" }, true)}
        />
        {NARROWED.map(
          ({ name, words, remove }) =>
            get(name) !== "" && (
              <Chip
                key={name}
                text={`${words} ${name === "kind" ? get(name).replaceAll("_", " ") : get(name)}`}
                remove={remove}
                onRemove={() => set({ [name]: "" }, true)}
              />
            ),
        )}
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table<Alert>
        label="Alerts"
        rows={alerts}
        rowKey={({ alertId }) => alertId}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "Alert",
            width: "22%",
            cell: (alert) => (
              <Button kind="quiet" size="small" onClick={() => set({ alert: alert.alertId }, true)}>
                <span className="cut foreign">{alertName(alert)}</span>
              </Button>
            ),
          },
          {
            title: "State",
            width: "12%",
            cell: (alert) => <AlertTag alert={alert} />,
          },
          {
            title: "Severity",
            width: "11%",
            rank: 1,
            cell: (alert) => (
              <SeverityTag severity={alert.severity} isOver={alert.state === State.RESOLVED} />
            ),
          },
          {
            title: "What",
            cell: ({ summary }) => <span className="cut foreign">{summary}</span>,
          },
          {
            title: "Labels",
            rank: 3,
            cell: ({ labels }) => <span className="cut soft foreign">{labelsText(labels)}</span>,
          },
          {
            title: "Since",
            rank: 1,
            width: "13%",
            cell: ({ startTime }) => <Age time={startTime} />,
          },
        ]}
        empty={
          list.isPending ? undefined : isFiltered ? (
            <Empty
              title="No such alerts"
              actions={
                <Button
                  onClick={() =>
                    set({ show: "", severity: "", rule: "", kind: "", edge: "" }, true)
                  }
                >
                  Show what is open
                </Button>
              }
            />
          ) : (
            <Empty title="No alert is open">
              <p>
                A <Link href="/rules">rule</Link> makes alerts of what is measured; the server makes
                its own when collectors, agents or sources are amiss.
              </p>
            </Empty>
          )
        }
      />
      <OneAlert alertId={get("alert")} onClose={() => set({ alert: "" }, true)} />
    </Page>
  );
}
