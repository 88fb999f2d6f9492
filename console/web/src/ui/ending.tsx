import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { serverNow } from "../client/clock.ts";
import { Age } from "./age.tsx";
import { Tag } from "./notice.tsx";

/** Whether a token or a key is in force, and until when. */
export function Ending(props: {
  expireTime: Timestamp | undefined;
  revokeTime: Timestamp | undefined;
}) {
  const { expireTime, revokeTime } = props;
  if (revokeTime) return <Tag>revoked</Tag>;
  if (!expireTime) return <Tag tone="good">active</Tag>;
  const isOver = timestampMs(expireTime) <= serverNow();
  return isOver ? (
    <Tag>expired</Tag>
  ) : (
    <span className="matter">
      <Tag tone="good">active</Tag>
      <span className="soft">
        ends <Age time={expireTime} />
      </span>
    </span>
  );
}

export const isOver = (expireTime: Timestamp | undefined, revokeTime: Timestamp | undefined) =>
  revokeTime !== undefined || (expireTime !== undefined && timestampMs(expireTime) <= serverNow());
