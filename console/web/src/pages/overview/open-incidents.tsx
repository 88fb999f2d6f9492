import { Link } from "wouter";
import type { Incident } from "../../../../../gen/lumetry/v1/incident_pb.js";
import { IncidentTag } from "../../alerting/incident-state.tsx";
import { SeverityTag } from "../../alerting/severity.tsx";
import { Age } from "../../ui/age.tsx";

/** The newest of what somebody has to look into. */
export function OpenIncidents({ incidents, isCut }: { incidents: Incident[]; isCut: boolean }) {
  return (
    <ul className="card matters">
      {incidents.map(({ incidentId, title, severity, state, assigneeName, openTime }) => (
        <li key={incidentId} className="open-incident">
          <SeverityTag severity={severity} />
          <span>
            <Link className="strong foreign" href={`/incidents/${incidentId}`}>
              {title}
            </Link>
            <span className="soft foreign"> {assigneeName || "nobody's yet"}</span>
          </span>
          <span className="matter nowrap">
            <IncidentTag state={state} />
            <span className="soft">
              <Age time={openTime} />
            </span>
          </span>
        </li>
      ))}
      {isCut && (
        <li className="open-incident">
          <span />
          <Link href="/incidents">All open incidents</Link>
        </li>
      )}
    </ul>
  );
}
