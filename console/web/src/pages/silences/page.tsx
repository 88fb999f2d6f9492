import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type Silence,
  SilenceService,
  Silence_Status as Status,
  Silence_StatusSchema as StatusSchema,
} from "../../../../../gen/lumetry/v1/silence_service_pb.js";
import { conditionsText } from "../../alerting/conditions.tsx";
import { SilenceForm } from "../../alerting/silence-form.tsx";
import { queryClient } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button, IconButton, Segments } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Menu, MenuItem } from "../../ui/menu.tsx";
import { Empty, Failure, Tag, type Tone } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { say } from "../../ui/toast.tsx";
import { enumWord } from "../../words/counts.ts";

const TONES: Partial<Record<Status, Tone>> = { [Status.ACTIVE]: "warn" };

export default function Silences() {
  const self = useSelf();
  const { get, set } = useAddressed();
  const isAll = get("show") === "all";
  const list = usePages(SilenceService.method.listSilences, { includeEnded: isAll });
  const silences = list.pages.flatMap((page) => page.silences);
  const [edited, setEdited] = useState<Silence | "new">();
  const [ended, setEnded] = useState<Silence>();
  const end = useMutation(SilenceService.method.endSilence, {
    onSuccess: () => {
      say("The silence is over: what still fires is told now.");
      setEnded(undefined);
      queryClient.invalidateQueries();
    },
  });
  const mayChange = self.may(Role.OPERATOR);
  const create = mayChange && (
    <Button kind="main" icon="plus" onClick={() => setEdited("new")}>
      Silence alerts
    </Button>
  );
  const columns: Column<Silence>[] = [
    {
      title: "About",
      width: "30%",
      cell: ({ conditions, incidentId }) =>
        incidentId === "" ? (
          <span className="cut strong foreign">{conditionsText(conditions)}</span>
        ) : (
          <Link href={`/incidents/${incidentId}`}>the alerts of an incident</Link>
        ),
    },
    {
      title: "Status",
      width: "12%",
      cell: ({ status }) => (
        <Tag tone={TONES[status] ?? "plain"}>{enumWord(StatusSchema, status)}</Tag>
      ),
    },
    { title: "Ends", width: "14%", cell: ({ endTime }) => <Age time={endTime} /> },
    {
      title: "Why",
      rank: 1,
      cell: ({ reason }) => <span className="cut foreign">{reason}</span>,
    },
    {
      title: "By",
      rank: 2,
      width: "13%",
      cell: ({ createdByName }) => <span className="cut foreign">{createdByName}</span>,
    },
    {
      title: "Keeps back",
      number: true,
      rank: 1,
      width: "11%",
      cell: ({ firingAlerts }) => String(firingAlerts),
    },
  ];
  if (mayChange) {
    columns.push({
      title: "",
      width: "60px",
      number: true,
      cell: (silence) =>
        silence.status !== Status.ENDED && (
          <Menu trigger={<IconButton icon="more" label={`Actions on ${silence.reason}`} />}>
            <MenuItem onClick={() => setEdited(silence)}>Change…</MenuItem>
            <MenuItem tone="bad" onClick={() => setEnded(silence)}>
              End now…
            </MenuItem>
          </Menu>
        ),
    });
  }
  return (
    <Page
      title="Silences"
      name="Silences"
      lead="A silence keeps notifications about some alerts back for a while. Alerts and incidents go on as ever; what still fires when it ends is told then."
      actions={create}
    >
      <div className="toolbar">
        <Segments
          label="Which are shown"
          value={isAll ? "all" : "now"}
          options={[
            { value: "now", label: "In force and to come" },
            { value: "all", label: "All" },
          ]}
          onChange={(value) => set({ show: value === "all" ? "all" : "" }, true)}
        />
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table
        label="Silences"
        rows={silences}
        rowKey={({ silenceId }) => silenceId}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={columns}
        empty={
          list.isPending ? undefined : (
            <Empty title="Nothing is silenced" actions={create}>
              <p>
                Before work on a host or while a known fault is mended, silence its alerts, with a
                reason and an end: nobody is woken, and nothing is lost.
              </p>
            </Empty>
          )
        }
      />
      {edited && (
        <SilenceForm
          {...(edited !== "new" && { silence: edited })}
          onClose={() => setEdited(undefined)}
        />
      )}
      <Confirm
        open={ended !== undefined}
        onClose={() => {
          setEnded(undefined);
          end.reset();
        }}
        title="End the silence now"
        submit="End it"
        pending={end.isPending}
        error={end.error}
        onConfirm={() => ended && end.mutate({ silenceId: ended.silenceId })}
      >
        <p>What still fires is told at once, by the routes that are in force.</p>
      </Confirm>
    </Page>
  );
}
