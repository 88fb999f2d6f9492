import { useState } from "react";
import { FormDialog } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { say } from "../ui/toast.tsx";
import { useEdgeCall } from "./calls.ts";
import { type Edge, nounOf } from "./words.tsx";

export function Rename(props: { edge: Edge; open: boolean; onClose: () => void }) {
  const { edge, open, onClose } = props;
  const before = edge.displayName;
  const [name, setName] = useState<string>();
  const rename = useEdgeCall(edge, "rename");
  const close = () => {
    setName(undefined);
    onClose();
  };
  const save = async () => {
    await rename.mutateAsync(name);
    say(`Renamed to ${name}.`, { label: "Undo", run: () => rename.mutateAsync(before) });
    close();
  };
  return (
    <FormDialog
      open={open}
      onClose={close}
      title={`Rename the ${nounOf(edge)}`}
      submit="Rename"
      pending={rename.isPending}
      error={rename.error}
      ready={name !== undefined && name.trim() !== "" && name !== before}
      onSubmit={() => void save().catch(() => {})}
    >
      <TextField
        label="Name"
        maxLength={128}
        value={name ?? before}
        onChange={(event) => setName(event.target.value)}
      />
    </FormDialog>
  );
}
