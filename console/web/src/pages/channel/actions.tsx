import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { useLocation } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type Channel,
  ChannelService,
  Channel_Kind as Kind,
  type RotateChannelSecretResponse,
} from "../../../../../gen/lumetry/v1/channel_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm, Dialog, FormDialog } from "../../ui/dialog.tsx";
import { SelectField } from "../../ui/field.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import { Failure } from "../../ui/notice.tsx";
import { say } from "../../ui/toast.tsx";
import { ChannelForm } from "../channels/channel-form.tsx";
import { ChannelSecret } from "../channels/channel-secret.tsx";
import { DeliveryView } from "../channels/delivery-words.tsx";

const HOUR_MS = 3_600_000;
const OVERLAPS = [
  { value: 0, label: "not at all" },
  { value: HOUR_MS, label: "an hour" },
  { value: 24 * HOUR_MS, label: "a day" },
  { value: 168 * HOUR_MS, label: "7 days" },
  { value: 720 * HOUR_MS, label: "30 days" },
];

/** What can be done with a channel, by those who may. */
export function Actions({ channel }: { channel: Channel }) {
  const self = useSelf();
  const { channelId, displayName } = channel;
  const [, navigate] = useLocation();
  const [asked, setAsked] = useState<"test" | "edit" | "rotate" | "delete">();
  const [rotated, setRotated] = useState<RotateChannelSecretResponse>();
  const close = () => setAsked(undefined);
  const refresh = () => queryClient.invalidateQueries();
  const test = useMutation(ChannelService.method.sendTestMessage, { onSettled: refresh });
  const remove = useMutation(ChannelService.method.deleteChannel, {
    onSuccess: () => {
      say(`${displayName} is deleted.`);
      navigate("/channels");
      refresh();
    },
  });
  if (!self.may(Role.OPERATOR)) return null;
  const send = () => {
    setAsked("test");
    test.mutate({ channelId });
  };
  return (
    <>
      <Button kind="main" icon="channel" busy={test.isPending} onClick={send}>
        Send a test
      </Button>
      <Menu trigger={<Button icon="more">Actions</Button>}>
        <MenuItem onClick={() => setAsked("edit")}>Edit…</MenuItem>
        {channel.kind !== Kind.EMAIL && (
          <MenuItem onClick={() => setAsked("rotate")}>Make a new secret…</MenuItem>
        )}
        <MenuLine />
        <MenuItem tone="bad" onClick={() => setAsked("delete")}>
          Delete…
        </MenuItem>
      </Menu>
      <Dialog open={asked === "test"} onClose={close} title={`A test message to ${displayName}`}>
        {test.isPending && <p aria-live="polite">Sending it, and waiting for what comes of it…</p>}
        {test.error && <Failure error={test.error} onRetry={send} />}
        {!test.isPending && test.data?.delivery && <DeliveryView delivery={test.data.delivery} />}
      </Dialog>
      {asked === "edit" && <ChannelForm channel={channel} onClose={close} />}
      {asked === "rotate" && (
        <Rotate
          channel={channel}
          onClose={close}
          onRotated={(response) => {
            close();
            setRotated(response);
          }}
        />
      )}
      {rotated?.channel && (
        <ChannelSecret
          channel={rotated.channel}
          secret={rotated.secret}
          onDone={() => setRotated(undefined)}
        />
      )}
      <Confirm
        open={asked === "delete"}
        onClose={close}
        title={`Delete the channel ${displayName}`}
        submit="Delete"
        word={displayName}
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate({ channelId })}
      >
        <p>
          Its messages go with it, those that wait and those that are dead.{" "}
          <strong>This is final.</strong>
        </p>
      </Confirm>
    </>
  );
}

function Rotate(props: {
  channel: Channel;
  onClose: () => void;
  onRotated: (response: RotateChannelSecretResponse) => void;
}) {
  const { channel, onClose, onRotated } = props;
  const [overlap, setOverlap] = useState(24 * HOUR_MS);
  const rotate = useMutation(ChannelService.method.rotateChannelSecret, {
    onSuccess: (response) => {
      queryClient.invalidateQueries();
      onRotated(response);
    },
  });
  return (
    <FormDialog
      open
      onClose={onClose}
      title={`A new secret for ${channel.displayName}`}
      submit="Make a new secret"
      pending={rotate.isPending}
      error={rotate.error}
      onSubmit={() =>
        rotate.mutate({ channelId: channel.channelId, overlap: durationFromMs(overlap) })
      }
    >
      <SelectField
        label="The present one goes on signing for"
        hint="So that the receiver can change over without losing a message"
        value={overlap}
        options={OVERLAPS}
        onChange={setOverlap}
      />
    </FormDialog>
  );
}
