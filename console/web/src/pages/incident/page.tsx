import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { useParams } from "wouter";
import { IncidentService } from "../../../../../gen/lumetry/v1/incident_service_pb.js";
import { alertsText, IncidentTag, isOver } from "../../alerting/incident-state.tsx";
import { SeverityTag } from "../../alerting/severity.tsx";
import { every, PACE } from "../../client/live.ts";
import { Nowhere } from "../../frame/nowhere.tsx";
import { Age } from "../../ui/age.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Facts, Page, Section } from "../../ui/page.tsx";
import { Actions } from "./actions.tsx";
import { IncidentAlerts } from "./incident-alerts.tsx";
import { Timeline } from "./timeline.tsx";

export default function IncidentPage() {
  const { id: incidentId = "" } = useParams<{ id: string }>();
  const { data, error, refetch } = useQuery(
    IncidentService.method.getIncident,
    { incidentId },
    { refetchInterval: every(PACE.watch) },
  );
  const incident = data?.incident;
  if (error instanceof ConnectError && error.code === Code.NotFound) return <Nowhere />;
  if (!incident) return error ? <Failure error={error} onRetry={() => refetch()} /> : null;
  return (
    <Page
      title={incident.title}
      name={`Incident ${incident.number}`}
      parent={{ title: "Incidents", path: "/incidents" }}
      beside={
        <>
          <IncidentTag state={incident.state} />
          <SeverityTag severity={incident.severity} isOver={isOver(incident)} />
        </>
      }
      actions={<Actions incident={incident} />}
    >
      <div className="columns">
        <Section title="Timeline">
          <Timeline incidentId={incidentId} newest={data.events} />
        </Section>
        <div className="page">
          <div className="card padded">
            <Facts
              entries={[
                ["Number", String(incident.number)],
                ["Id", <code key="id">{incidentId}</code>],
                ["Opened", <Age key="opened" time={incident.openTime} />],
                [
                  "Opened again",
                  incident.reopenTime && (
                    <>
                      <Age time={incident.reopenTime} />
                      {incident.reopenings > 1 && `, ${incident.reopenings} times in all`}
                    </>
                  ),
                ],
                [
                  "Acknowledged",
                  incident.acknowledgeTime && (
                    <>
                      <Age time={incident.acknowledgeTime} /> by {incident.acknowledgedByName}
                    </>
                  ),
                ],
                ["Whose", incident.assigneeName || <span className="soft">nobody's yet</span>],
                [
                  "Resolved",
                  incident.resolveTime && (
                    <>
                      <Age time={incident.resolveTime} />
                      {incident.resolvedBy === ""
                        ? ", by itself, with its last alert"
                        : ` by ${incident.resolvedByName}`}
                    </>
                  ),
                ],
                ["Alerts", alertsText(incident)],
              ]}
            />
          </div>
          <Section title="Alerts">
            <IncidentAlerts alerts={data.alerts} total={incident.alertCount} />
          </Section>
        </div>
      </div>
    </Page>
  );
}
