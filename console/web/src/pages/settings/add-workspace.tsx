import { useMutation } from "@connectrpc/connect-query";
import { type FormEvent, useState } from "react";
import type { Invitation } from "../../../../../gen/lumetry/v1/user_service_pb.js";
import { WorkspaceService } from "../../../../../gen/lumetry/v1/workspace_service_pb.js";
import { Button } from "../../ui/button.tsx";
import { TextField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Section } from "../../ui/page.tsx";
import { SecretDialog } from "../../ui/secret-dialog.tsx";

const EMPTY = { displayName: "", adminDisplayName: "", adminEmail: "" };

/** Another tenant, of whom nothing is seen from here. */
export function AddWorkspace() {
  const [form, setForm] = useState(EMPTY);
  const [invitation, setInvitation] = useState<Invitation>();
  const create = useMutation(WorkspaceService.method.createWorkspace, {
    onSuccess: (response) => {
      setForm(EMPTY);
      setInvitation(response.invitation);
    },
  });
  const field = (key: keyof typeof EMPTY) => ({
    value: form[key],
    maxLength: 128,
    onChange: (event: { target: { value: string } }) =>
      setForm((before) => ({ ...before, [key]: event.target.value })),
  });
  const send = (event: FormEvent) => {
    event.preventDefault();
    create.mutate(form);
  };
  return (
    <Section title="Another workspace">
      <form className="card padded form" onSubmit={send}>
        <p className="soft">
          A workspace is a tenant: nothing in one can be seen from another. You name its first
          administrator, and have no access to it yourself.
        </p>
        <TextField label="Workspace" {...field("displayName")} />
        <TextField label="Administrator's name" {...field("adminDisplayName")} />
        <TextField
          label="Administrator's e-mail address"
          type="email"
          {...field("adminEmail")}
          maxLength={254}
        />
        {create.error && <Failure error={create.error} />}
        <div className="form-end">
          <Button
            type="submit"
            busy={create.isPending}
            disabled={Object.values(form).some((value) => value.trim() === "")}
          >
            Create it
          </Button>
        </div>
      </form>
      {invitation && (
        <SecretDialog
          title="Give its administrator this link"
          secret={`${location.origin}/invitation#${invitation.secret}`}
          expireTime={invitation.expireTime}
          onDone={() => setInvitation(undefined)}
        />
      )}
    </Section>
  );
}
