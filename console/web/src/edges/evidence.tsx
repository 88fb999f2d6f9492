import { useState } from "react";
import { Role } from "../../../../gen/lumetry/access/v1/access_pb.js";
import type { DuplicateEvidence, EdgeProcess } from "../../../../gen/lumetry/v1/edge_pb.js";
import { useSelf } from "../client/session.tsx";
import { Age } from "../ui/age.tsx";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { Notice } from "../ui/notice.tsx";
import { Facts } from "../ui/page.tsx";
import { say } from "../ui/toast.tsx";
import { countText } from "../words/counts.ts";
import { useEdgeCall } from "./calls.ts";
import { type Edge, nounOf } from "./words.tsx";

/** Two processes under one identity, side by side, and the two ways out. */
export function Evidence({ edge, evidence }: { edge: Edge; evidence: DuplicateEvidence }) {
  const self = useSelf();
  const [asked, setAsked] = useState<"dismiss" | "revoke">();
  const close = () => setAsked(undefined);
  const done = (words: string) => () => {
    close();
    say(words);
  };
  const dismiss = useEdgeCall(
    edge,
    "dismiss",
    done("The suspicion is dismissed; it comes back if two processes go on."),
  );
  const revoke = useEdgeCall(
    edge,
    "revoke",
    done(`${edge.displayName} is revoked. Enroll a replacement.`),
  );
  return (
    <section className="section" aria-label="Evidence of a duplicate">
      <Notice tone="bad">
        <p className="strong">Two processes seem to share its credential</p>
        <p className="foreign">{evidence.explanation}</p>
        <p className="soft">
          Suspected <Age time={evidence.suspectTime} />. Both go on uploading; the credential is not
          rotated until this is settled.
        </p>
      </Notice>
      <div className="evidence">
        <Side title="Came back" process={evidence.returned} other={evidence.replacement} />
        <Side
          title="Had taken its place"
          process={evidence.replacement}
          other={evidence.returned}
        />
      </div>
      <div className="actions">
        {self.may(Role.OPERATOR) && (
          <Button onClick={() => setAsked("dismiss")}>One is stopped: dismiss</Button>
        )}
        {self.may(Role.ADMIN) && (
          <Button kind="danger" onClick={() => setAsked("revoke")}>
            It may be stolen: revoke
          </Button>
        )}
      </div>
      <Confirm
        open={asked === "dismiss"}
        onClose={close}
        title="Dismiss the suspicion"
        submit="Dismiss"
        pending={dismiss.isPending}
        error={dismiss.error}
        onConfirm={() => dismiss.mutate(undefined)}
      >
        <p>
          Stop one of the two processes first. If both go on, the suspicion comes back with the next
          heartbeats.
        </p>
      </Confirm>
      <Confirm
        open={asked === "revoke"}
        onClose={close}
        title={`Revoke this ${nounOf(edge)} for good`}
        submit="Revoke for good"
        word={edge.displayName}
        pending={revoke.isPending}
        error={revoke.error}
        onConfirm={() => revoke.mutate(undefined)}
      >
        <p>
          Both processes are refused within a second. <strong>This is final</strong>: enroll a
          replacement on the right host.
        </p>
      </Confirm>
    </section>
  );
}

function Side(props: {
  title: string;
  process: EdgeProcess | undefined;
  other: EdgeProcess | undefined;
}) {
  const { title, process, other } = props;
  if (!process) return null;
  /** What tells the two apart stands out. */
  const told = (value: string, same: string | undefined) =>
    value === same ? value : <strong>{value}</strong>;
  return (
    <div className="card padded section">
      <h3>{title}</h3>
      <Facts
        entries={[
          ["Host", told(process.hostname, other?.hostname)],
          ["Address", told(process.address, other?.address)],
          ["Version", told(process.version, other?.version)],
          ["First seen", <Age key="first" time={process.firstSeenTime} />],
          ["Last seen", <Age key="last" time={process.lastSeenTime} />],
          ["Heartbeats", countText(process.sequence)],
          ["Process", <code key="id">{process.processId}</code>],
        ]}
      />
    </div>
  );
}
