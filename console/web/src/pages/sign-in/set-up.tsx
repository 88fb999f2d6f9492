import { useMutation } from "@connectrpc/connect-query";
import { type FormEvent, useState } from "react";
import { SetupService } from "../../../../../gen/lumetry/v1/setup_service_pb.js";
import { startOver } from "../../client/session.tsx";
import { Button } from "../../ui/button.tsx";
import { TextField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { takeFragment } from "./fragment.ts";
import { Gate } from "./gate.tsx";
import { NewPassword } from "./new-password.tsx";

const given = takeFragment("lmtsu_");

export function SetUp() {
  const [form, setForm] = useState({
    setupSecret: given,
    workspaceName: "",
    displayName: "",
    email: "",
    password: "",
  });
  const setUp = useMutation(SetupService.method.completeSetup, { onSuccess: startOver });
  const change = (key: keyof typeof form) => (value: string) =>
    setForm((before) => ({ ...before, [key]: value }));
  const field = (key: keyof typeof form) => ({
    value: form[key],
    required: true,
    onChange: (event: { target: { value: string } }) => change(key)(event.target.value),
  });
  const send = (event: FormEvent) => {
    event.preventDefault();
    setUp.mutate({ ...form, setupSecret: form.setupSecret.trim(), asCookie: true });
  };
  return (
    <Gate
      title="Set up Lumetry"
      lead="This server is new. Whoever started it makes the first workspace and becomes its owner."
    >
      <form className="form" onSubmit={send}>
        <TextField
          label="Set-up secret"
          hint={
            <>
              The server printed it when it was started, as <code>lmtsu_…</code>
            </>
          }
          autoComplete="off"
          spellCheck={false}
          autoFocus={given === ""}
          {...field("setupSecret")}
        />
        <TextField
          label="Workspace"
          hint="The name of your organisation; it can be changed"
          maxLength={128}
          autoFocus={given !== ""}
          {...field("workspaceName")}
        />
        <TextField
          label="Your name"
          autoComplete="name"
          maxLength={128}
          {...field("displayName")}
        />
        <TextField
          label="E-mail address"
          type="email"
          autoComplete="username"
          {...field("email")}
        />
        <NewPassword value={form.password} onChange={change("password")} />
        {setUp.error && <Failure error={setUp.error} />}
        <Button type="submit" kind="main" busy={setUp.isPending}>
          Create the workspace
        </Button>
      </form>
    </Gate>
  );
}
