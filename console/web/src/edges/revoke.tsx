import { Confirm } from "../ui/dialog.tsx";
import { say } from "../ui/toast.tsx";
import { useEdgeCall } from "./calls.ts";
import { type Edge, nounOf } from "./words.tsx";

/** Asks for the name before an identity is ended for good. */
export function Revoke(props: { edge: Edge; open: boolean; onClose: () => void }) {
  const { edge, open, onClose } = props;
  const revoke = useEdgeCall(edge, "revoke", () => {
    onClose();
    say(`${edge.displayName} is revoked: it can do nothing any more.`);
  });
  return (
    <Confirm
      open={open}
      onClose={onClose}
      title={`Revoke this ${nounOf(edge)} for good`}
      submit="Revoke for good"
      word={edge.displayName}
      pending={revoke.isPending}
      error={revoke.error}
      onConfirm={() => revoke.mutate(undefined)}
    >
      <p>
        Its credential is refused everywhere within a second, and what is in its queue can no longer
        be uploaded. <strong>This is final</strong>: a revoked identity cannot be brought back; a
        replacement has to be enrolled.
      </p>
      <p className="soft">What it has measured so far stays.</p>
    </Confirm>
  );
}
