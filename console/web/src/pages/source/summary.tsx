import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Link } from "wouter";
import type { Source } from "../../../../../gen/lumetry/v1/source_service_pb.js";
import { serverNow } from "../../client/clock.ts";
import { useCollectorNames } from "../../client/collector-names.ts";
import { useZones } from "../../client/zones.ts";
import { draftOf, jsonText } from "../../sources/document.ts";
import { Phases } from "../../sources/reading.tsx";
import { secretsText } from "../../sources/secrets-form.tsx";
import { LastPoll } from "../../sources/status.tsx";
import { Age } from "../../ui/age.tsx";
import { Facts, Section } from "../../ui/page.tsx";
import { countText } from "../../words/counts.ts";
import { labelsText } from "../../words/labels.ts";
import { kindText, msText, targetText } from "../../words/sources.ts";
import { PollCharts } from "./poll-charts.tsx";

export function Summary({ source }: { source: Source }) {
  const { nameOf } = useZones();
  const collectorName = useCollectorNames();
  const { poll, secrets, settings, interval, timeout, assignedCollectorId } = source;
  const draft = draftOf(settings);
  const isResting = poll?.backingOffUntil && timestampMs(poll.backingOffUntil) > serverNow();
  return (
    <div className="page">
      <div className="halves">
        <div className="card padded section">
          <h2>Last poll</h2>
          <Facts
            entries={[
              ["Reported", <LastPoll key="reported" source={source} />],
              ["Took", poll?.duration && msText(durationMs(poll.duration))],
              [
                "Stored",
                poll?.lastReportAge && (
                  <>
                    {countText(poll.acceptedPoints)} points
                    {poll.refusedPoints > 0n && (
                      <span className="warn">
                        , {countText(poll.refusedPoints)} refused: {poll.refusal}
                      </span>
                    )}
                  </>
                ),
              ],
              ["Next", poll?.nextTime && !source.paused && <Age time={poll.nextTime} />],
              [
                "Left alone",
                isResting && (
                  <span className="warn">
                    slow or failing; polled again <Age time={poll.backingOffUntil} />
                  </span>
                ),
              ],
              [
                "Polled by",
                assignedCollectorId !== "" && (
                  <Link href={`/collectors/${assignedCollectorId}?tab=work`}>
                    {collectorName(assignedCollectorId)}
                  </Link>
                ),
              ],
            ]}
          />
          {poll && <Phases phases={poll.phases} />}
        </div>
        <div className="card padded section">
          <h2>What it is</h2>
          <Facts
            entries={[
              ["Id", <code key="id">{source.sourceId}</code>],
              ["Kind", kindText(settings)],
              ["Target", targetText(settings)],
              [
                "Every",
                interval &&
                  timeout &&
                  `${msText(durationMs(interval))}, with ${msText(durationMs(timeout))} to answer`,
              ],
              ["Zone", nameOf(source.zoneId)],
              ["Labels", labelsText(source.labels)],
              [
                "Secrets",
                secrets && (
                  <>
                    {secretsText(secrets)}, for {secrets.boundTo} only, since{" "}
                    <Age time={secrets.setTime} />
                  </>
                ),
              ],
              ["Polls", poll && pollsText(poll)],
              ["Created", <Age key="created" time={source.createTime} />],
              ["Changed", <Age key="changed" time={source.updateTime} />],
            ]}
          />
        </div>
      </div>
      <PollCharts sourceId={source.sourceId} />
      {draft && (
        <Section title="Settings">
          <pre className="document foreign">{jsonText(draft)}</pre>
        </Section>
      )}
    </div>
  );
}

const pollsText = ({
  completedPolls,
  skippedPolls,
  filledPolls,
  staleReports,
}: NonNullable<Source["poll"]>): string =>
  [
    `${countText(completedPolls)} done`,
    skippedPolls > 0n && `${countText(skippedPolls)} skipped`,
    filledPolls > 0n && `${countText(filledPolls)} filled in after an outage`,
    staleReports > 0n && `${countText(staleReports)} reported too late to count`,
  ]
    .filter(Boolean)
    .join(", ");
