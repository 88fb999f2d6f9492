import { Link } from "wouter";
import {
  type Incident,
  Incident_State as State,
} from "../../../../../gen/lumetry/v1/incident_pb.js";
import { IncidentService } from "../../../../../gen/lumetry/v1/incident_service_pb.js";
import type { Severity } from "../../../../../gen/lumetry/v1/severity_pb.js";
import { alertsText, IncidentTag, isOver } from "../../alerting/incident-state.tsx";
import { SEVERITIES, SEVERITY_OPTIONS, SeverityTag } from "../../alerting/severity.tsx";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { CheckField, Choice } from "../../ui/field.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { ListSearch, useListSearch } from "../../ui/search.tsx";
import { Table } from "../../ui/table.tsx";

const SHOWN = {
  unresolved: [State.OPEN, State.ACKNOWLEDGED],
  open: [State.OPEN],
  resolved: [State.RESOLVED],
  all: [],
};
type Shown = keyof typeof SHOWN;
const LABELS: Record<Shown, string> = {
  unresolved: "Unresolved",
  open: "Nobody's yet",
  resolved: "Resolved",
  all: "All",
};

export default function Incidents() {
  const self = useSelf();
  const { get, set } = useAddressed();
  const shown = (Object.hasOwn(SHOWN, get("show")) ? get("show") : "unresolved") as Shown;
  const search = useListSearch();
  const asked = Number(get("severity")) as Severity;
  const severity = SEVERITIES.includes(asked) ? asked : 0;
  const isMine = get("mine") === "yes";
  const list = usePages(IncidentService.method.listIncidents, {
    states: SHOWN[shown],
    severities: severity === 0 ? [] : [severity],
    assigneeId: isMine ? (self.user?.userId ?? "") : "",
    search,
  });
  const incidents = list.pages.flatMap((page) => page.incidents);
  const isFiltered = shown !== "unresolved" || search !== "" || severity !== 0 || isMine;
  return (
    <Page
      title="Incidents"
      name="Incidents"
      lead="Alerts that belong together, gathered into the one thing that somebody has to look into."
    >
      <div className="toolbar">
        <ListSearch label="Search in titles" />
        <Segments<Shown>
          label="Which are shown"
          value={shown}
          options={(Object.keys(SHOWN) as Shown[]).map((value) => ({
            value,
            label: LABELS[value],
          }))}
          onChange={(value) => set({ show: value === "unresolved" ? "" : value }, true)}
        />
        <Choice<number>
          label="Severity"
          value={severity}
          options={[{ value: 0, label: "All severities" }, ...SEVERITY_OPTIONS]}
          onChange={(value) => set({ severity: value === 0 ? "" : String(value) }, true)}
        />
        <CheckField
          label="Mine"
          checked={isMine}
          onChange={(checked) => set({ mine: checked ? "yes" : "" }, true)}
        />
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table<Incident>
        label="Incidents"
        rows={incidents}
        rowKey={({ incidentId }) => incidentId}
        href={({ incidentId }) => `/incidents/${incidentId}`}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "No.",
            number: true,
            width: "60px",
            rank: 1,
            cell: ({ number }) => <span className="soft">{String(number)}</span>,
          },
          {
            title: "What",
            width: "38%",
            cell: ({ incidentId, title }) => (
              <Link className="cut foreign" href={`/incidents/${incidentId}`} tabIndex={-1}>
                {title}
              </Link>
            ),
          },
          {
            title: "Severity",
            width: "11%",
            cell: (incident) => (
              <SeverityTag severity={incident.severity} isOver={isOver(incident)} />
            ),
          },
          {
            title: "State",
            width: "14%",
            cell: ({ state }) => <IncidentTag state={state} />,
          },
          {
            title: "Whose",
            rank: 2,
            cell: ({ assigneeName }) =>
              assigneeName ? (
                <span className="cut foreign">{assigneeName}</span>
              ) : (
                <span className="soft">nobody's</span>
              ),
          },
          {
            title: "Alerts",
            rank: 2,
            width: "17%",
            cell: (incident) => <span className="cut">{alertsText(incident)}</span>,
          },
          { title: "Opened", rank: 1, cell: ({ openTime }) => <Age time={openTime} /> },
        ]}
        empty={
          list.isPending ? undefined : isFiltered ? (
            <Empty
              title="No such incidents"
              actions={
                <Button onClick={() => set({ search: "", show: "", severity: "", mine: "" }, true)}>
                  Show what is unresolved
                </Button>
              }
            />
          ) : (
            <Empty title="Nothing is the matter">
              <p>
                An incident opens by itself when an alert fires: of a{" "}
                <Link href="/rules">rule</Link>, or of the server itself, such as when a collector
                falls silent.
              </p>
            </Empty>
          )
        }
      />
    </Page>
  );
}
