import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useState } from "react";
import { type AuditEvent, AuditService } from "../../../../../gen/lumetry/v1/audit_service_pb.js";
import { usePages } from "../../client/pages.ts";
import { Age } from "../../ui/age.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Facts } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { exactText } from "../../words/moments.ts";

/** Who changed what; of one target, or all. */
export function AuditTable({ targetId = "", label }: { targetId?: string; label: string }) {
  const [shown, setShown] = useState<AuditEvent>();
  const list = usePages(AuditService.method.listAuditEvents, { targetId });
  const events = list.pages.flatMap(({ auditEvents }) => auditEvents);
  return (
    <>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table
        label={label}
        rows={events}
        rowKey={({ auditEventId }) => auditEventId}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          { title: "When", width: "15%", cell: ({ time }) => <Age time={time} /> },
          {
            title: "Who",
            width: "20%",
            cell: ({ actorName, actorKind }) => (
              <span className="cut foreign">{actorName || actorKind.replaceAll("_", " ")}</span>
            ),
          },
          {
            title: "What",
            width: "24%",
            cell: (event) => (
              <Button kind="quiet" size="small" onClick={() => setShown(event)}>
                {event.action}
              </Button>
            ),
          },
          {
            title: "To what",
            rank: 1,
            cell: ({ targetName, targetId: id }) => (
              <span className="cut foreign">{targetName || id}</span>
            ),
          },
          { title: "From", rank: 2, width: "14%", cell: ({ address }) => address },
        ]}
        empty={list.isPending ? undefined : <Empty title="Nothing was changed yet" />}
      />
      <Dialog
        open={shown !== undefined}
        onClose={() => setShown(undefined)}
        title={shown?.action ?? ""}
      >
        {shown && (
          <>
            <Facts
              entries={[
                ["When", shown.time && exactText(timestampMs(shown.time))],
                ["Who", `${shown.actorName} (${shown.actorKind.replaceAll("_", " ")})`],
                ["Their id", shown.actorId],
                ["To what", shown.targetName],
                ["Its id", shown.targetId],
                ["From", shown.address],
                ["Request", shown.requestId],
              ]}
            />
            {shown.details !== "" && shown.details !== "{}" && (
              <pre className="document foreign">{indented(shown.details)}</pre>
            )}
          </>
        )}
      </Dialog>
    </>
  );
}

function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
