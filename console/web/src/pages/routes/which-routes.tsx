import { useQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { useState } from "react";
import { NotificationRouteService } from "../../../../../gen/lumetry/v1/notification_route_service_pb.js";
import { Severity } from "../../../../../gen/lumetry/v1/severity_pb.js";
import { SEVERITY_OPTIONS } from "../../alerting/severity.tsx";
import { SelectField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Section } from "../../ui/page.tsx";
import { PairsField } from "../../ui/pairs.tsx";
import { useSettled } from "../../ui/settled.tsx";

/** Tries the routes on an alert that somebody makes up; nobody is told. */
export function WhichRoutes() {
  const [labels, setLabels] = useState<Record<string, string>>({});
  const [severity, setSeverity] = useState<Severity>(Severity.WARNING);
  const settled = useSettled(labels);
  const { data, error } = useQuery(
    NotificationRouteService.method.matchNotificationRoutes,
    { labels: settled, severity },
    { placeholderData: keepPreviousData },
  );
  return (
    <Section title="Which routes would an alert take?">
      <div className="halves">
        <div className="card padded form">
          <SelectField<Severity>
            label="Severity"
            value={severity}
            options={SEVERITY_OPTIONS}
            onChange={setSeverity}
          />
          <PairsField
            label="Labels of the alert"
            name="Label"
            value="Value"
            pairs={labels}
            onChange={setLabels}
          />
        </div>
        <div className="card padded section" aria-live="polite">
          {error && <Failure error={error} />}
          {data?.routes.length === 0 && <p className="warn">None: nobody would be told of it.</p>}
          <ol className="section">
            {data?.routes.map(({ routeId, position, settings }) => (
              <li key={routeId}>
                {position}. <span className="strong foreign">{settings?.displayName}</span>
              </li>
            ))}
          </ol>
        </div>
      </div>
    </Section>
  );
}
