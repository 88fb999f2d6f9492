import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  ChannelService,
  type CreateChannelResponse,
} from "../../../../../gen/lumetry/v1/channel_service_pb.js";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useZones } from "../../client/zones.ts";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button } from "../../ui/button.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { ListSearch, useListSearch } from "../../ui/search.tsx";
import { Table } from "../../ui/table.tsx";
import { Tabs } from "../../ui/tabs.tsx";
import { say } from "../../ui/toast.tsx";
import { countText } from "../../words/counts.ts";
import { ChannelForm } from "./channel-form.tsx";
import { ChannelSecret } from "./channel-secret.tsx";
import { Deliveries } from "./deliveries.tsx";
import { kindText, whereText } from "./kinds.ts";

export default function Channels() {
  const self = useSelf();
  const { get, set } = useAddressed();
  const [isCreating, setCreating] = useState(false);
  const [created, setCreated] = useState<CreateChannelResponse>();
  const create = self.may(Role.OPERATOR) && (
    <Button kind="main" icon="plus" onClick={() => setCreating(true)}>
      Add a channel
    </Button>
  );
  return (
    <Page
      title="Channels"
      name="Channels"
      lead="The ways on which notifications leave: signed webhooks, chats and e-mail, sent by this server or by a collector inside a zone."
      actions={create}
    >
      <Tabs
        open={get("tab") === "deliveries" ? "deliveries" : "channels"}
        onOpen={(tab) => set({ tab: tab === "channels" ? "" : tab, show: "", search: "" }, true)}
        tabs={[
          { id: "channels", title: "Channels", body: () => <ChannelList create={create} /> },
          { id: "deliveries", title: "Deliveries", body: () => <Deliveries /> },
        ]}
      />
      {isCreating && (
        <ChannelForm
          onClose={() => setCreating(false)}
          onCreated={(response) => {
            setCreating(false);
            setCreated(response);
            if (response.secret === "") say(`${response.channel?.displayName} is added.`);
          }}
        />
      )}
      {created?.channel && created.secret !== "" && (
        <ChannelSecret
          channel={created.channel}
          secret={created.secret}
          onDone={() => setCreated(undefined)}
        />
      )}
    </Page>
  );
}

function ChannelList({ create }: { create: ReactNode }) {
  const { nameOf } = useZones();
  const { set } = useAddressed();
  const search = useListSearch();
  const list = usePages(ChannelService.method.listChannels, { search });
  const channels = list.pages.flatMap((page) => page.channels);
  return (
    <div className="section">
      <div className="toolbar">
        <ListSearch />
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table
        label="Channels"
        rows={channels}
        rowKey={({ channelId }) => channelId}
        href={({ channelId }) => `/channels/${channelId}`}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "Name",
            width: "20%",
            cell: ({ channelId, displayName }) => (
              <Link className="cut foreign" href={`/channels/${channelId}`} tabIndex={-1}>
                {displayName}
              </Link>
            ),
          },
          { title: "Kind", rank: 2, width: "11%", cell: kindText },
          {
            title: "To",
            rank: 1,
            width: "28%",
            cell: (channel) => <span className="cut foreign">{whereText(channel)}</span>,
          },
          {
            title: "Sent by",
            rank: 2,
            cell: ({ zoneId }) =>
              zoneId === "" ? (
                "this server"
              ) : (
                <span className="cut foreign">collectors of {nameOf(zoneId)}</span>
              ),
          },
          {
            title: "Waiting",
            number: true,
            width: "10%",
            cell: ({ pendingDeliveries }) => countText(pendingDeliveries),
          },
          {
            title: "Dead letters",
            number: true,
            width: "13%",
            cell: ({ channelId, deadDeliveries }) =>
              deadDeliveries > 0n ? (
                <Link className="bad" href={`/channels/${channelId}?show=dead`}>
                  {countText(deadDeliveries)}
                </Link>
              ) : (
                <span className="soft">0</span>
              ),
          },
          {
            title: "Secret made",
            rank: 3,
            width: "13%",
            cell: ({ secretCreateTime }) => <Age time={secretCreateTime} />,
          },
        ]}
        empty={
          list.isPending ? undefined : search !== "" ? (
            <Empty
              title="No channel matches"
              actions={<Button onClick={() => set({ search: "" }, true)}>Show all</Button>}
            />
          ) : (
            <Empty title="No channels yet" actions={create}>
              <p>
                A channel is where notifications go: a webhook, a chat or e-mail. Add one and send a
                test message to it; receivers check signatures with a secret that is shown once.
              </p>
            </Empty>
          )
        }
      />
    </div>
  );
}
