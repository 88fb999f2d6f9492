import { useMutation } from "@connectrpc/connect-query";
import { type FormEvent, useState } from "react";
import { SessionService } from "../../../../../gen/lumetry/v1/session_service_pb.js";
import { Button } from "../../ui/button.tsx";
import { TextField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { takeFragment } from "./fragment.ts";
import { Gate } from "./gate.tsx";
import { NewPassword } from "./new-password.tsx";

const given = takeFragment("lmtiv_");

/** Where the link of an invitation leads. */
export function Invitation() {
  const [invitation, setInvitation] = useState(given);
  const [password, setPassword] = useState("");
  const accept = useMutation(SessionService.method.acceptInvitation, {
    onSuccess: () => location.assign("/"),
  });
  const send = (event: FormEvent) => {
    event.preventDefault();
    accept.mutate({ invitation: invitation.trim(), password, asCookie: true });
  };
  return (
    <Gate title="Accept your invitation" lead="Choose a password; you sign in with it from now on.">
      <form className="form" onSubmit={send}>
        {given === "" && (
          <TextField
            label="Invitation"
            hint={
              <>
                It starts with <code>lmtiv_</code>
              </>
            }
            required
            autoComplete="off"
            spellCheck={false}
            value={invitation}
            onChange={(event) => setInvitation(event.target.value)}
          />
        )}
        <NewPassword value={password} onChange={setPassword} />
        {accept.error && <Failure error={accept.error} />}
        <Button type="submit" kind="main" busy={accept.isPending}>
          Accept and sign in
        </Button>
      </form>
    </Gate>
  );
}
