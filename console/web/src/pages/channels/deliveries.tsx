import { useMutation, useQuery } from "@connectrpc/connect-query";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  ChannelService,
  type Delivery,
  Delivery_Status as Status,
} from "../../../../../gen/lumetry/v1/channel_service_pb.js";
import { useChannels } from "../../client/channels.ts";
import { every, PACE, queryClient } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { say } from "../../ui/toast.tsx";
import { countText } from "../../words/counts.ts";
import { DeliveryTag, DeliveryView } from "./delivery-words.tsx";

const SHOWN = {
  all: [],
  waiting: [Status.PENDING, Status.SENDING],
  delivered: [Status.DELIVERED],
  dead: [Status.DEAD],
};
type Shown = keyof typeof SHOWN;
const LABELS: Record<Shown, string> = {
  all: "All",
  waiting: "Waiting",
  delivered: "Delivered",
  dead: "Dead letters",
};

/** Messages on their way, delivered and given up; of one channel, or of all. */
export function Deliveries({ channelId = "" }: { channelId?: string }) {
  const { get, set } = useAddressed();
  const { nameOf } = useChannels();
  const shown = (Object.hasOwn(SHOWN, get("show")) ? get("show") : "all") as Shown;
  const list = usePages(ChannelService.method.listDeliveries, {
    channelId,
    statuses: SHOWN[shown],
  });
  const deliveries = list.pages.flatMap((page) => page.deliveries);
  const columns: Column<Delivery>[] = [
    {
      title: "Message",
      width: "24%",
      cell: ({ deliveryId, eventType }) => (
        <Button kind="quiet" size="small" onClick={() => set({ delivery: deliveryId }, true)}>
          <span className="foreign">{eventType}</span>
        </Button>
      ),
    },
    { title: "Status", width: "16%", cell: ({ status }) => <DeliveryTag status={status} /> },
    {
      title: "Attempts",
      number: true,
      width: "12%",
      cell: ({ attemptCount }) => countText(attemptCount),
    },
    { title: "Created", cell: ({ createTime }) => <Age time={createTime} /> },
    {
      title: "Next attempt",
      rank: 1,
      cell: ({ nextAttemptTime }) => <Age time={nextAttemptTime} never="" />,
    },
  ];
  if (channelId === "") {
    columns.push({
      title: "Channel",
      rank: 1,
      cell: (delivery) => <span className="cut foreign">{nameOf(delivery.channelId)}</span>,
    });
  }
  return (
    <div className="section">
      <div className="toolbar">
        <Segments<Shown>
          label="Which are shown"
          value={shown}
          options={(Object.keys(SHOWN) as Shown[]).map((value) => ({
            value,
            label: LABELS[value],
          }))}
          onChange={(value) => set({ show: value === "all" ? "" : value }, true)}
        />
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table<Delivery>
        label="Deliveries"
        rows={deliveries}
        rowKey={({ deliveryId }) => deliveryId}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={columns}
        empty={
          list.isPending ? undefined : (
            <Empty title={shown === "all" ? "No messages yet" : "No such messages"}>
              <p>
                Each message is tried again and again for a day, ever more slowly; what nobody takes
                by then is a dead letter, kept here to be sent again.
              </p>
            </Empty>
          )
        }
      />
      <OneDelivery deliveryId={get("delivery")} onClose={() => set({ delivery: "" }, true)} />
    </div>
  );
}

function OneDelivery({ deliveryId, onClose }: { deliveryId: string; onClose: () => void }) {
  const self = useSelf();
  const { data, error, refetch } = useQuery(
    ChannelService.method.getDelivery,
    { deliveryId },
    { enabled: deliveryId !== "", refetchInterval: every(PACE.watch) },
  );
  const resend = useMutation(ChannelService.method.resendDelivery, {
    onSuccess: () => {
      say("It is tried again, for another day.");
      queryClient.invalidateQueries();
    },
  });
  const delivery = data?.delivery;
  return (
    <Dialog open={deliveryId !== ""} onClose={onClose} title="A message">
      {error && <Failure error={error} onRetry={() => refetch()} />}
      {delivery && <DeliveryView delivery={delivery} />}
      {resend.error && <Failure error={resend.error} />}
      {delivery?.status === Status.DEAD && self.may(Role.OPERATOR) && (
        <div className="form-end">
          <Button kind="main" busy={resend.isPending} onClick={() => resend.mutate({ deliveryId })}>
            Send it again
          </Button>
        </div>
      )}
    </Dialog>
  );
}
