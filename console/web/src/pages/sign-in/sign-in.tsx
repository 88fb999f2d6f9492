import { useMutation } from "@connectrpc/connect-query";
import { type FormEvent, useState } from "react";
import { SessionService } from "../../../../../gen/lumetry/v1/session_service_pb.js";
import { startOver } from "../../client/session.tsx";
import { Button } from "../../ui/button.tsx";
import { TextField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Gate } from "./gate.tsx";

export function SignIn() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation(SessionService.method.createSession, { onSuccess: startOver });
  const send = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ email: email.trim(), password, asCookie: true });
  };
  return (
    <Gate title="Sign in">
      <form className="form" onSubmit={send}>
        <TextField
          label="E-mail address"
          type="email"
          autoComplete="username"
          required
          autoFocus
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <TextField
          label="Password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        {signIn.error && <Failure error={signIn.error} />}
        <Button type="submit" kind="main" busy={signIn.isPending}>
          Sign in
        </Button>
      </form>
      <p className="soft">
        Invited? Open the link that you were given. Password forgotten? An administrator can invite
        you anew, under People.
      </p>
    </Gate>
  );
}
