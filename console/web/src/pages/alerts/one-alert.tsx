import { useQuery } from "@connectrpc/connect-query";
import { Link } from "wouter";
import { AlertService } from "../../../../../gen/lumetry/v1/alert_service_pb.js";
import { AlertTag, alertName, stateWord } from "../../alerting/alert-words.tsx";
import { SeverityTag } from "../../alerting/severity.tsx";
import { every, PACE } from "../../client/live.ts";
import { useSenderNames } from "../../client/sender-names.ts";
import { Age } from "../../ui/age.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Facts } from "../../ui/page.tsx";
import { labelsText } from "../../words/labels.ts";

/** One alert: what decided it, and each step that it took. */
export function OneAlert({ alertId, onClose }: { alertId: string; onClose: () => void }) {
  const senderName = useSenderNames();
  const { data, error, refetch } = useQuery(
    AlertService.method.getAlert,
    { alertId },
    { enabled: alertId !== "", refetchInterval: every(PACE.live) },
  );
  const alert = data?.alert;
  return (
    <Dialog
      open={alertId !== ""}
      onClose={onClose}
      wide
      title={<span className="foreign">{alert ? alertName(alert) : "An alert"}</span>}
    >
      {error && <Failure error={error} onRetry={() => refetch()} />}
      {alert && (
        <>
          <p className="foreign">{alert.summary}</p>
          <Facts
            entries={[
              ["State", <AlertTag key="state" alert={alert} />],
              ["Severity", <SeverityTag key="severity" severity={alert.severity} />],
              [
                "Rule",
                alert.source.case === "ruleId" && (
                  <Link href={`/rules/${alert.source.value}`}>{alertName(alert)}</Link>
                ),
              ],
              [
                "Watched",
                alert.source.case === "systemKind" && (
                  <Link href={`/system-alerts?kind=${alert.source.value}`}>
                    by Lumetry itself; see how
                  </Link>
                ),
              ],
              [
                "About",
                alert.edgeId !== "" && (
                  <Link
                    href={`/${alert.edgeId.startsWith("agt") ? "agents" : "collectors"}/${alert.edgeId}`}
                  >
                    {senderName(alert.edgeId)}
                  </Link>
                ),
              ],
              ["Labels", labelsText(alert.labels)],
              ["Value", alert.value !== undefined && String(alert.value)],
              ["Wrong since", alert.startTime && <Age time={alert.startTime} />],
              ["Fired", alert.fireTime && <Age time={alert.fireTime} />],
              ["Over", alert.resolveTime && <Age time={alert.resolveTime} />],
              ["Because", alert.resolveReason],
              [
                "Explained by",
                alert.suppressedBy !== "" && (
                  <Link href={`/alerts?alert=${alert.suppressedBy}`}>another alert</Link>
                ),
              ],
              [
                "What to do",
                alert.runbookUrl !== "" && (
                  <a href={alert.runbookUrl} target="_blank" rel="noreferrer">
                    {alert.runbookUrl}
                  </a>
                ),
              ],
            ]}
          />
          <h3>Steps</h3>
          <ol className="timeline card">
            {data.transitions.map(({ to, time, recordTime, value, reason }) => (
              <li key={`${to} ${recordTime?.seconds} ${recordTime?.nanos}`}>
                <span className="dot soft" aria-hidden="true" />
                <div>
                  <p>
                    <span className="strong">{stateWord(to)}</span>{" "}
                    <span className="soft">
                      <Age time={time} />, judged <Age time={recordTime} />
                    </span>
                  </p>
                  <p className="foreign">
                    {[value !== undefined && `with the value ${value}`, reason]
                      .filter(Boolean)
                      .join(": ")}
                  </p>
                </div>
              </li>
            ))}
          </ol>
          {alert.evidence && (
            <>
              <h3>What decided it</h3>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
              <pre className="document foreign" tabIndex={0}>
                {JSON.stringify(alert.evidence, null, 2)}
              </pre>
            </>
          )}
        </>
      )}
    </Dialog>
  );
}
