import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { useParams } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import { SourceService } from "../../../../../gen/lumetry/v1/source_service_pb.js";
import { every, PACE } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { Nowhere } from "../../frame/nowhere.tsx";
import { ADVICE, LastPoll, SourceTag } from "../../sources/status.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Failure, Notice } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { type Tab, Tabs } from "../../ui/tabs.tsx";
import { kindText, targetText } from "../../words/sources.ts";
import { AuditTable } from "../audit/audit-table.tsx";
import { Actions } from "./actions.tsx";
import { Measured } from "./measured.tsx";
import { Polls } from "./polls.tsx";
import { Summary } from "./summary.tsx";

export default function SourcePage() {
  const { id: sourceId = "" } = useParams<{ id: string }>();
  const self = useSelf();
  const { get, set } = useAddressed();
  const { data, error, refetch } = useQuery(
    SourceService.method.getSource,
    { sourceId },
    { refetchInterval: every(PACE.live) },
  );
  const source = data?.source;
  if (error instanceof ConnectError && error.code === Code.NotFound) return <Nowhere />;
  if (!source) return error ? <Failure error={error} onRetry={() => refetch()} /> : null;
  const tabs: Tab[] = [
    { id: "summary", title: "Summary", body: () => <Summary source={source} /> },
    { id: "polls", title: "Polls", body: () => <Polls sourceId={sourceId} /> },
    { id: "measured", title: "What it brings", body: () => <Measured sourceId={sourceId} /> },
    ...(self.may(Role.ADMIN)
      ? [
          {
            id: "activity",
            title: "Activity",
            body: () => <AuditTable targetId={sourceId} label="What was done with it" />,
          },
        ]
      : []),
  ];
  const open = tabs.some(({ id }) => id === get("tab")) ? get("tab") : "summary";
  const advice = ADVICE[source.status];
  return (
    <Page
      title={source.displayName}
      name={source.displayName}
      parent={{ title: "Sources", path: "/sources" }}
      beside={
        <>
          <SourceTag status={source.status} />
          <span className="soft">
            {kindText(source.settings)}{" "}
            <span className="foreign">{targetText(source.settings)}</span>, polled{" "}
            <LastPoll source={source} />
          </span>
        </>
      }
      actions={<Actions source={source} />}
    >
      {advice && <Notice tone="warn">{advice}</Notice>}
      {source.poll?.failure && !source.paused && (
        <Notice tone="bad">
          <p className="strong">
            It did not answer as it should
            {source.poll.failuresInARow > 1n && `, ${source.poll.failuresInARow} times in a row`}
          </p>
          <p className="foreign">{source.poll.failure}</p>
        </Notice>
      )}
      <Tabs
        tabs={tabs}
        open={open}
        onOpen={(tab) => set({ tab: tab === "summary" ? "" : tab }, true)}
      />
    </Page>
  );
}
