import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type IncidentEvent,
  IncidentEvent_Kind as Kind,
  IncidentEvent_KindSchema as KindSchema,
} from "../../../../../gen/lumetry/v1/incident_pb.js";
import { IncidentService } from "../../../../../gen/lumetry/v1/incident_service_pb.js";
import { useChannels } from "../../client/channels.ts";
import { queryClient } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { Age } from "../../ui/age.tsx";
import { Button } from "../../ui/button.tsx";
import { AreaField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { enumWord } from "../../words/counts.ts";

/** More than this is in the answer about the incident itself; what is older is asked for. */
const NEWEST = 200;

const TONES: Partial<Record<Kind, string>> = {
  [Kind.OPENED]: "bad",
  [Kind.ALERT_FIRED]: "bad",
  [Kind.REOPENED]: "bad",
  [Kind.ALERT_RESOLVED]: "good",
  [Kind.RESOLVED]: "good",
  [Kind.ACKNOWLEDGED]: "warn",
};

/** What has happened, newest first, and a place to say something. */
export function Timeline(props: { incidentId: string; newest: IncidentEvent[] }) {
  const { incidentId, newest } = props;
  const self = useSelf();
  const [isAll, setAll] = useState(false);
  const older = usePages(
    IncidentService.method.listIncidentEvents,
    { incidentId, pageSize: 200 },
    { enabled: isAll },
  );
  const known = new Set(newest.map(({ eventId }) => eventId));
  const events = [
    ...newest,
    ...older.pages.flatMap((page) => page.events).filter(({ eventId }) => !known.has(eventId)),
  ];
  return (
    <div className="section">
      {self.may(Role.OPERATOR) && <Comment incidentId={incidentId} />}
      {older.error && <Failure error={older.error} onRetry={() => older.refetch()} />}
      <ol className="timeline card">
        {events.map((event) => (
          <Line key={String(event.eventId)} event={event} />
        ))}
      </ol>
      {newest.length >= NEWEST && (!isAll || older.hasNextPage) && (
        <div>
          <Button
            busy={older.isFetching}
            onClick={() => {
              if (isAll) older.more();
              else setAll(true);
            }}
          >
            Show what was before
          </Button>
        </div>
      )}
    </div>
  );
}

function Line({ event }: { event: IncidentEvent }) {
  const { nameOf } = useChannels();
  const { kind, time, actorName, message, alertId, channelId, deliveryId, silenceId } = event;
  return (
    <li data-kind={enumWord(KindSchema, kind)}>
      <span className={`dot ${TONES[kind] ?? "soft"}`} aria-hidden="true" />
      <div>
        <p>
          <span className="strong">{enumWord(KindSchema, kind)}</span>
          {actorName !== "" && (
            <>
              {" "}
              by <span className="foreign">{actorName}</span>
            </>
          )}
          {time && (
            <span className="soft" title={new Date(timestampMs(time)).toISOString()}>
              {" "}
              <Age time={time} />
            </span>
          )}
        </p>
        {message !== "" && <p className="foreign said">{message}</p>}
        <p className="links">
          {alertId !== "" && <Link href={`/alerts?alert=${alertId}`}>the alert</Link>}
          {channelId !== "" && (
            <Link className="foreign" href={`/channels/${channelId}`}>
              {nameOf(channelId)}
            </Link>
          )}
          {deliveryId !== "" && channelId !== "" && (
            <Link href={`/channels/${channelId}?delivery=${deliveryId}`}>the message</Link>
          )}
          {silenceId !== "" && <Link href="/silences?show=all">the silence</Link>}
        </p>
      </div>
    </li>
  );
}

function Comment({ incidentId }: { incidentId: string }) {
  const [comment, setComment] = useState("");
  const add = useMutation(IncidentService.method.commentIncident, {
    onSuccess: () => {
      setComment("");
      return queryClient.invalidateQueries();
    },
  });
  return (
    <form
      className="form card padded"
      onSubmit={(event) => {
        event.preventDefault();
        if (comment.trim() !== "") add.mutate({ incidentId, comment });
      }}
    >
      <AreaField
        label="Comment"
        placeholder="What you have seen and done, for whoever comes next"
        rows={2}
        spellCheck
        maxLength={4096}
        value={comment}
        onChange={({ target }) => setComment(target.value)}
      />
      {add.error && <Failure error={add.error} />}
      <div className="form-end">
        <Button type="submit" busy={add.isPending} disabled={comment.trim() === ""}>
          Comment
        </Button>
      </div>
    </form>
  );
}
