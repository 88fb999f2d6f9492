import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { ReactNode } from "react";
import { clockText } from "../words/moments.ts";
import { useTimeLeft } from "./age.tsx";
import { Button } from "./button.tsx";
import { Copyable } from "./copy.tsx";
import { Dialog } from "./dialog.tsx";

/** A secret, shown this once, until somebody says that they have it. */
export function SecretDialog(props: {
  title: string;
  secret: string;
  /** When it ends, if it does. */
  expireTime?: Timestamp | undefined;
  onDone: () => void;
  children?: ReactNode;
}) {
  const { title, secret, expireTime, onDone, children } = props;
  const left = useTimeLeft(expireTime);
  return (
    <Dialog open onClose={onDone} firm wide title={title}>
      <Copyable text={secret} label="" />
      <p>
        It is shown this once only: the server keeps nothing that it could be read from.
        {expireTime && (
          <>
            {" "}
            It ends at <span className="nowrap">{clockText(timestampMs(expireTime))}</span>
            {left ? `, in ${left}` : ""}.
          </>
        )}
      </p>
      {children}
      <div className="form-end">
        <Button kind="main" onClick={onDone}>
          I have it
        </Button>
      </div>
    </Dialog>
  );
}
