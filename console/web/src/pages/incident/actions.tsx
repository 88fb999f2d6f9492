import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type Incident,
  Incident_State as State,
} from "../../../../../gen/lumetry/v1/incident_pb.js";
import { IncidentService } from "../../../../../gen/lumetry/v1/incident_service_pb.js";
import { SilenceForm } from "../../alerting/silence-form.tsx";
import { queryClient } from "../../client/live.ts";
import { usePeople } from "../../client/people.ts";
import { useSelf } from "../../client/session.tsx";
import { Button } from "../../ui/button.tsx";
import { FormDialog } from "../../ui/dialog.tsx";
import { AreaField, SelectField } from "../../ui/field.tsx";
import { Menu, MenuItem } from "../../ui/menu.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";

/** Takes an incident on, gives it to somebody, says that it is over. */
export function Actions({ incident }: { incident: Incident }) {
  const self = useSelf();
  const { incidentId, state } = incident;
  const [asked, setAsked] = useState<"assign" | "resolve" | "silence">();
  const close = () => setAsked(undefined);
  const acknowledge = useMutation(IncidentService.method.acknowledgeIncident, {
    onSuccess: () => {
      say("You look into it: it is not told again and again any more.");
      queryClient.invalidateQueries();
    },
    onError: sayFailure,
  });
  if (!self.may(Role.OPERATOR)) return null;
  const isResolved = state === State.RESOLVED;
  return (
    <>
      {state === State.OPEN && (
        <Button
          kind="main"
          icon="check"
          busy={acknowledge.isPending}
          onClick={() => acknowledge.mutate({ incidentId })}
        >
          Acknowledge
        </Button>
      )}
      {!isResolved && (
        <Button
          kind={state === State.ACKNOWLEDGED ? "main" : "plain"}
          onClick={() => setAsked("resolve")}
        >
          Resolve…
        </Button>
      )}
      <Menu trigger={<Button icon="more">Actions</Button>}>
        <MenuItem onClick={() => setAsked("assign")}>Assign…</MenuItem>
        <MenuItem onClick={() => setAsked("silence")}>Silence its alerts…</MenuItem>
      </Menu>
      {asked === "assign" && <Assign incident={incident} onClose={close} />}
      {asked === "resolve" && <Resolve incident={incident} onClose={close} />}
      {asked === "silence" && <SilenceForm incidentId={incidentId} onClose={close} />}
    </>
  );
}

function Assign({ incident, onClose }: { incident: Incident; onClose: () => void }) {
  const people = usePeople();
  const { incidentId, assigneeId } = incident;
  const [userId, setUserId] = useState(assigneeId);
  const assign = useMutation(IncidentService.method.assignIncident, {
    onSuccess: () => queryClient.invalidateQueries(),
  });
  const save = async () => {
    await assign.mutateAsync({ incidentId, userId });
    const name = people.find((person) => person.userId === userId)?.displayName;
    say(name === undefined ? "It is nobody's now." : `It is ${name}'s now.`, {
      label: "Undo",
      run: () => assign.mutateAsync({ incidentId, userId: assigneeId }),
    });
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title="Whose is it?"
      submit="Assign"
      pending={assign.isPending}
      error={assign.error}
      ready={userId !== assigneeId}
      onSubmit={() => void save().catch(() => {})}
    >
      <SelectField
        label="Person"
        value={userId}
        options={[
          { value: "", label: "nobody" },
          ...people.map((person) => ({ value: person.userId, label: person.displayName })),
        ]}
        onChange={setUserId}
      />
    </FormDialog>
  );
}

function Resolve({ incident, onClose }: { incident: Incident; onClose: () => void }) {
  const { incidentId, firingCount } = incident;
  const [comment, setComment] = useState("");
  const resolve = useMutation(IncidentService.method.resolveIncident, {
    onSuccess: () => {
      say("It is resolved.");
      queryClient.invalidateQueries();
      onClose();
    },
  });
  return (
    <FormDialog
      open
      onClose={onClose}
      title="Say that it is over"
      submit="Resolve"
      pending={resolve.isPending}
      error={resolve.error}
      onSubmit={() => resolve.mutate({ incidentId, comment })}
    >
      <p>
        {firingCount > 0
          ? "Alerts of it still fire: they are told as resolved, and told anew only when they have ended and fire again."
          : "None of its alerts fires any more."}
      </p>
      <AreaField
        label="For the timeline"
        placeholder="What it was"
        spellCheck
        maxLength={4096}
        value={comment}
        onChange={({ target }) => setComment(target.value)}
      />
    </FormDialog>
  );
}
