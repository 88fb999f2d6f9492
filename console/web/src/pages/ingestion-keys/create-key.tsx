import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import {
  type CreateIngestionKeyResponse,
  IngestionKeyService,
} from "../../../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { FormDialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { PairsField } from "../../ui/pairs.tsx";
import { FOR_EVER, LIFETIMES } from "../../words/lifetimes.ts";

export function CreateKey(props: {
  onClose: () => void;
  onCreated: (response: CreateIngestionKeyResponse) => void;
}) {
  const [displayName, setDisplayName] = useState("");
  const [labels, setLabels] = useState<Record<string, string>>({});
  const [lifetime, setLifetime] = useState(0);
  const create = useMutation(IngestionKeyService.method.createIngestionKey, {
    onSuccess: props.onCreated,
  });
  return (
    <FormDialog
      open
      onClose={props.onClose}
      title="Create a key"
      submit="Create"
      pending={create.isPending}
      error={create.error}
      ready={displayName.trim() !== ""}
      onSubmit={() =>
        create.mutate({
          displayName,
          labels,
          ...(lifetime > 0 && { lifetime: durationFromMs(lifetime) }),
        })
      }
    >
      <TextField
        label="Name"
        hint="What will write with it"
        maxLength={128}
        autoFocus
        value={displayName}
        onChange={(event) => setDisplayName(event.target.value)}
      />
      <PairsField
        label="Labels"
        hint="Set on every series, whatever the program sends"
        name="Label"
        value="Value"
        pairs={labels}
        onChange={setLabels}
      />
      <SelectField
        label="Ends after"
        value={lifetime}
        options={[FOR_EVER, ...LIFETIMES]}
        onChange={setLifetime}
      />
    </FormDialog>
  );
}
