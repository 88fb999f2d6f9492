import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Channel } from "../../../../../gen/lumetry/v1/channel_service_pb.js";
import { SecretDialog } from "../../ui/secret-dialog.tsx";
import { clockText } from "../../words/moments.ts";

/** The secret by which a receiver checks that a message is from here. */
export function ChannelSecret(props: { channel: Channel; secret: string; onDone: () => void }) {
  const { channel, secret, onDone } = props;
  const { previousSecretExpireTime: until } = channel;
  return (
    <SecretDialog title={`The secret of ${channel.displayName}`} secret={secret} onDone={onDone}>
      <p className="soft">
        Give it to the receiver: a library for Standard Webhooks checks the headers{" "}
        <code>webhook-id</code>, <code>webhook-timestamp</code> and <code>webhook-signature</code>{" "}
        of each message with it.
      </p>
      {until && (
        <p>
          Until <span className="nowrap">{clockText(timestampMs(until))}</span> messages are signed
          with the one before, too, so that the receiver can change over without losing one.
        </p>
      )}
    </SecretDialog>
  );
}
