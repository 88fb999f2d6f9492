import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Role, RoleSchema } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import { type Invitation, UserService } from "../../../../../gen/lumetry/v1/user_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { enumWord } from "../../words/counts.ts";

export const GIVEN_ROLES = [Role.VIEWER, Role.OPERATOR, Role.ADMIN];

export function Invite(props: {
  onClose: () => void;
  onInvited: (invitation: Invitation | undefined) => void;
}) {
  const [email, setEmail] = useState("");
  const [displayName, setDisplayName] = useState("");
  const [role, setRole] = useState(Role.VIEWER);
  const invite = useMutation(UserService.method.createUser, {
    onSuccess: ({ invitation }) => {
      queryClient.invalidateQueries();
      props.onInvited(invitation);
    },
  });
  return (
    <FormDialog
      open
      onClose={props.onClose}
      title="Invite somebody"
      submit="Invite"
      pending={invite.isPending}
      error={invite.error}
      ready={email.includes("@") && displayName.trim() !== ""}
      onSubmit={() => invite.mutate({ email: email.trim(), displayName, role })}
    >
      <TextField
        label="Name"
        maxLength={128}
        autoFocus
        value={displayName}
        onChange={(event) => setDisplayName(event.target.value)}
      />
      <TextField
        label="E-mail address"
        hint="They sign in with it; nothing is sent there"
        type="email"
        maxLength={254}
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <SelectField
        label="Role"
        value={role}
        options={GIVEN_ROLES.map((value) => ({ value, label: enumWord(RoleSchema, value) }))}
        onChange={setRole}
      />
    </FormDialog>
  );
}
