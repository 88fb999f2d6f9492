import { Link } from "wouter";
import type { IncidentAlert } from "../../../../../gen/lumetry/v1/incident_pb.js";
import { SeverityTag } from "../../alerting/severity.tsx";
import { Age } from "../../ui/age.tsx";
import { labelsText } from "../../words/labels.ts";

/** The alerts that an incident is about, and why each belongs to it. */
export function IncidentAlerts({ alerts, total }: { alerts: IncidentAlert[]; total: number }) {
  return (
    <ul className="alerts">
      {alerts.map((alert) => (
        <li key={alert.alertId} className="card padded">
          <p className="matter">
            <SeverityTag severity={alert.severity} isOver={alert.resolveTime !== undefined} />
            <Link className="strong foreign" href={`/alerts?alert=${alert.alertId}`}>
              {alert.ruleId === "" ? alert.alertName.replaceAll("_", " ") : alert.alertName}
            </Link>
          </p>
          <p className="foreign">{alert.summary}</p>
          <p className="soft">
            {alert.resolveTime ? (
              <>
                fired <Age time={alert.fireTime} />, over <Age time={alert.resolveTime} />
              </>
            ) : (
              <>
                fires since <Age time={alert.fireTime} />
              </>
            )}
            {alert.silenceId !== "" && (
              <>
                , <Link href="/silences">silenced</Link>
              </>
            )}
          </p>
          <p className="soft foreign">{labelsText(alert.labels)}</p>
          {alert.gatherReason !== "" && <p className="soft foreign">{alert.gatherReason}</p>}
          {alert.runbookUrl !== "" && (
            <p>
              <a href={alert.runbookUrl} target="_blank" rel="noreferrer">
                What to do
              </a>
            </p>
          )}
        </li>
      ))}
      {total > alerts.length && <li className="soft">And {total - alerts.length} older ones.</li>}
    </ul>
  );
}
