import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { type Role, RoleSchema } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  AccessTokenService,
  type CreateAccessTokenResponse,
} from "../../../../../gen/lumetry/v1/access_token_service_pb.js";
import { useSelf } from "../../client/session.tsx";
import { FormDialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { enumValues, enumWord } from "../../words/counts.ts";
import { LIFETIMES } from "../../words/lifetimes.ts";

export function CreateToken(props: {
  onClose: () => void;
  onCreated: (response: CreateAccessTokenResponse) => void;
}) {
  const self = useSelf();
  const [displayName, setDisplayName] = useState("");
  const [role, setRole] = useState<Role>(self.role);
  const [lifetime, setLifetime] = useState(LIFETIMES[3]?.value ?? 0);
  const create = useMutation(AccessTokenService.method.createAccessToken, {
    onSuccess: props.onCreated,
  });
  return (
    <FormDialog
      open
      onClose={props.onClose}
      title="Create a token"
      submit="Create"
      pending={create.isPending}
      error={create.error}
      ready={displayName.trim() !== ""}
      onSubmit={() => create.mutate({ displayName, role, lifetime: durationFromMs(lifetime) })}
    >
      <TextField
        label="Name"
        hint="What will use it"
        maxLength={128}
        autoFocus
        value={displayName}
        onChange={(event) => setDisplayName(event.target.value)}
      />
      <SelectField
        label="Role"
        hint="The least that will do"
        value={role}
        options={enumValues(RoleSchema)
          .filter((value) => value <= self.role)
          .map((value) => ({ value: value as Role, label: enumWord(RoleSchema, value) }))}
        onChange={setRole}
      />
      <SelectField label="Ends after" value={lifetime} options={LIFETIMES} onChange={setLifetime} />
    </FormDialog>
  );
}
