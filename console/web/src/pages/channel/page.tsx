import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { useParams } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import { ChannelService } from "../../../../../gen/lumetry/v1/channel_service_pb.js";
import { serverNow } from "../../client/clock.ts";
import { every, PACE } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { useZones } from "../../client/zones.ts";
import { Nowhere } from "../../frame/nowhere.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Facts, Page } from "../../ui/page.tsx";
import { type Tab, Tabs } from "../../ui/tabs.tsx";
import { countText } from "../../words/counts.ts";
import { AuditTable } from "../audit/audit-table.tsx";
import { Deliveries } from "../channels/deliveries.tsx";
import { kindText, whereText } from "../channels/kinds.ts";
import { Actions } from "./actions.tsx";

export default function ChannelPage() {
  const { id: channelId = "" } = useParams<{ id: string }>();
  const self = useSelf();
  const { nameOf } = useZones();
  const { get, set } = useAddressed();
  const { data, error, refetch } = useQuery(
    ChannelService.method.getChannel,
    { channelId },
    { refetchInterval: every(PACE.live) },
  );
  const channel = data?.channel;
  if (error instanceof ConnectError && error.code === Code.NotFound) return <Nowhere />;
  if (!channel) return error ? <Failure error={error} onRetry={() => refetch()} /> : null;
  const { previousSecretExpireTime: until } = channel;
  const tabs: Tab[] = [
    { id: "deliveries", title: "Deliveries", body: () => <Deliveries channelId={channelId} /> },
    ...(self.may(Role.ADMIN)
      ? [
          {
            id: "activity",
            title: "Activity",
            body: () => <AuditTable targetId={channelId} label="What was done with it" />,
          },
        ]
      : []),
  ];
  const open = tabs.some(({ id }) => id === get("tab")) ? get("tab") : "deliveries";
  return (
    <Page
      title={channel.displayName}
      name={channel.displayName}
      parent={{ title: "Channels", path: "/channels" }}
      actions={<Actions channel={channel} />}
    >
      <div className="halves">
        <div className="card padded">
          <Facts
            entries={[
              ["Id", <code key="id">{channelId}</code>],
              ["Kind", kindText(channel)],
              ["To", whereText(channel)],
              [
                "Sent by",
                channel.zoneId === ""
                  ? "this server"
                  : `the collectors of ${nameOf(channel.zoneId)}`,
              ],
              ["Secret headers", channel.headerNames.join(", ")],
              ["Own authority", channel.caPem !== "" && "yes"],
            ]}
          />
        </div>
        <div className="card padded">
          <Facts
            entries={[
              ["Waiting", countText(channel.pendingDeliveries)],
              [
                "Dead letters",
                <span key="dead" className={channel.deadDeliveries > 0n ? "bad" : undefined}>
                  {countText(channel.deadDeliveries)}
                </span>,
              ],
              ["Secret made", channel.secretCreateTime && <Age time={channel.secretCreateTime} />],
              [
                "The one before",
                until && timestampMs(until) > serverNow() && (
                  <>
                    signs, too, and ends <Age time={until} />
                  </>
                ),
              ],
              ["Created", <Age key="created" time={channel.createTime} />],
            ]}
          />
        </div>
      </div>
      <Tabs
        tabs={tabs}
        open={open}
        onOpen={(tab) => set({ tab: tab === "deliveries" ? "" : tab, show: "" }, true)}
      />
    </Page>
  );
}
