import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Role } from "../../../../gen/lumetry/access/v1/access_pb.js";
import { AcknowledgeConfigRequest_OutcomeSchema as OutcomeSchema } from "../../../../gen/lumetry/edge/v1/config_service_pb.js";
import {
  type Configuration,
  ConfigurationService,
} from "../../../../gen/lumetry/v1/configuration_service_pb.js";
import type { EdgeConfigState } from "../../../../gen/lumetry/v1/edge_pb.js";
import { queryClient } from "../client/live.ts";
import { usePages } from "../client/pages.ts";
import { useSelf } from "../client/session.tsx";
import { Age } from "../ui/age.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Failure, Notice, Tag, type Tone } from "../ui/notice.tsx";
import { Section } from "../ui/page.tsx";
import { Table } from "../ui/table.tsx";
import { say } from "../ui/toast.tsx";
import { enumWord } from "../words/counts.ts";
import { Diff } from "./diff.tsx";
import { Editor } from "./editor.tsx";

const TONES: Record<string, Tone> = { applied: "good", rejected: "bad" };

/** Where a revision is on its way. */
export function OutcomeTag({ config }: { config: Configuration }) {
  const word =
    enumWord(OutcomeSchema, config.outcome) || (config.offerTime ? "offered" : "waiting");
  return <Tag tone={TONES[word] ?? "warn"}>{word}</Tag>;
}

/** What an edge, or all of a profile, is told to do: the document, its history, and who made what of it. */
export function ConfigurationTab(props: {
  targetId: string;
  /** How far it has come; a profile has none. */
  config?: EdgeConfigState | undefined;
  isRevoked?: boolean;
}) {
  const { targetId, config, isRevoked = false } = props;
  const self = useSelf();
  const [shown, setShown] = useState<Configuration>();
  const list = usePages(ConfigurationService.method.listConfigurations, { targetId });
  const revisions = list.pages.flatMap(({ configs }) => configs);
  const latest = revisions[0];
  const mayPublish = self.may(Role.OPERATOR) && !isRevoked;
  const revert = useMutation(ConfigurationService.method.revertConfiguration, {
    onSuccess: ({ config: made }) => {
      setShown(undefined);
      say(`Revision ${made?.revision} says what revision ${made?.revertedFrom} said.`);
      queryClient.invalidateQueries();
    },
  });
  const before = (revision: bigint) =>
    revisions.find((each) => each.revision < revision)?.document ?? "{}";

  return (
    <div className="page">
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      {latest && config && (
        <p className="soft">
          Revision {String(config.latestRevision)} is the latest; it runs on{" "}
          {config.runningRevision === 0n ? "the defaults" : `revision ${config.runningRevision}`}.
        </p>
      )}
      {config?.rejected && (
        <Notice tone="bad">
          <p className="strong">It rejected the latest revision, and runs on the one before.</p>
          <p className="foreign">{config.reason}</p>
        </Notice>
      )}
      {!list.isPending && mayPublish && (
        <Editor
          key={String(latest?.revision ?? 0n)}
          targetId={targetId}
          revision={latest?.revision ?? 0n}
          published={latest?.document ?? "{}"}
        />
      )}
      {latest && (
        <Section title="History">
          <Table
            label="Revisions"
            rows={revisions}
            rowKey={({ revision }) => String(revision)}
            hasMore={list.hasNextPage}
            onMore={list.more}
            columns={[
              {
                title: "Revision",
                width: "14%",
                cell: (each) => (
                  <Button kind="quiet" size="small" onClick={() => setShown(each)}>
                    {String(each.revision)}
                    <span className="unseen"> show</span>
                  </Button>
                ),
              },
              { title: "Published", cell: ({ publishTime }) => <Age time={publishTime} /> },
              {
                title: "By",
                rank: 1,
                cell: ({ publisher }) => <span className="foreign">{publisher}</span>,
              },
              { title: "Outcome", cell: (each) => <OutcomeTag config={each} /> },
              {
                title: "Acknowledged",
                rank: 1,
                cell: ({ acknowledgeTime }) => <Age time={acknowledgeTime} never="" />,
              },
              {
                title: "Remarks",
                rank: 2,
                cell: ({ reason, ignoredKeys, revertedFrom }) => (
                  <span className="cut foreign">
                    {[
                      revertedFrom > 0n && `says what revision ${revertedFrom} said`,
                      reason,
                      ignoredKeys.length > 0 && `ignored: ${ignoredKeys.join(", ")}`,
                    ]
                      .filter(Boolean)
                      .join("; ")}
                  </span>
                ),
              },
            ]}
          />
        </Section>
      )}
      <Dialog
        open={shown !== undefined}
        onClose={() => setShown(undefined)}
        wide
        title={`Revision ${shown?.revision}`}
      >
        {shown && (
          <>
            <p className="soft">
              Published <Age time={shown.publishTime} /> by{" "}
              <span className="foreign">{shown.publisher}</span>. Changed from the one before:
            </p>
            <Diff before={before(shown.revision)} after={shown.document} />
            <pre className="document">{shown.document}</pre>
            {revert.error && <Failure error={revert.error} />}
            {mayPublish && shown.revision !== latest?.revision && (
              <div className="form-end">
                <Button
                  kind="main"
                  busy={revert.isPending}
                  onClick={() => revert.mutate({ targetId, revision: shown.revision })}
                >
                  Revert to this
                </Button>
              </div>
            )}
          </>
        )}
      </Dialog>
    </div>
  );
}
