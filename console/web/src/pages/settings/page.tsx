import { useMutation, useQuery } from "@connectrpc/connect-query";
import { type FormEvent, useState } from "react";
import { Role, RoleSchema } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import { SessionService } from "../../../../../gen/lumetry/v1/session_service_pb.js";
import { WorkspaceService } from "../../../../../gen/lumetry/v1/workspace_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { chooseTheme, type Theme, useTheme } from "../../frame/theme.ts";
import { Age } from "../../ui/age.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Facts, Page, Section } from "../../ui/page.tsx";
import { say } from "../../ui/toast.tsx";
import { countText, enumWord } from "../../words/counts.ts";
import { chooseTimeZone, localZone, useTimeZone } from "../../words/moments.ts";
import { LEAST_PASSWORD, NewPassword } from "../sign-in/new-password.tsx";
import { AddWorkspace } from "./add-workspace.tsx";

export default function Settings() {
  const self = useSelf();
  return (
    <Page title="Settings" name="Settings">
      <div className="halves">
        <Workspace />
        <Appearance />
        <Password />
        {self.may(Role.OWNER) && <AddWorkspace />}
      </div>
    </Page>
  );
}

function Workspace() {
  const self = useSelf();
  const { data, error } = useQuery(WorkspaceService.method.getWorkspace, {});
  const [name, setName] = useState<string>();
  const rename = useMutation(WorkspaceService.method.updateWorkspace, {
    onSuccess: () => {
      setName(undefined);
      queryClient.invalidateQueries();
    },
  });
  const workspace = data?.workspace;
  const before = workspace?.displayName ?? "";
  const save = async (event: FormEvent) => {
    event.preventDefault();
    await rename.mutateAsync({ displayName: name ?? before });
    say("The workspace is renamed.", {
      label: "Undo",
      run: () => rename.mutateAsync({ displayName: before }),
    });
  };
  const { seriesCount = 0n, seriesLimit = 0n } = workspace ?? {};
  return (
    <Section title="Workspace">
      <div className="card padded form">
        {error && <Failure error={error} />}
        <Facts
          entries={[
            ["Id", <code key="id">{workspace?.workspaceId}</code>],
            ["Created", <Age key="created" time={workspace?.createTime} never="" />],
            ["Series", `${countText(seriesCount)} of ${countText(seriesLimit)}`],
          ]}
        />
        <form className="form" onSubmit={(event) => void save(event).catch(() => {})}>
          <TextField
            label="Name"
            maxLength={128}
            disabled={!self.may(Role.ADMIN)}
            value={name ?? before}
            onChange={(event) => setName(event.target.value)}
          />
          {rename.error && <Failure error={rename.error} />}
          {self.may(Role.ADMIN) && (
            <div className="form-end">
              <Button
                type="submit"
                busy={rename.isPending}
                disabled={name === undefined || name.trim() === "" || name === before}
              >
                Rename
              </Button>
            </div>
          )}
        </form>
      </div>
    </Section>
  );
}

function Appearance() {
  const { theme } = useTheme();
  const { chosen } = useTimeZone();
  const zones = [
    "local",
    "UTC",
    ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC"),
  ];
  return (
    <Section title="This browser">
      <div className="card padded form">
        <div className="field">
          <span className="legend">Theme</span>
          <span>
            <Segments<Theme>
              label="Theme"
              value={theme}
              onChange={chooseTheme}
              options={[
                { value: "system", label: "As the system" },
                { value: "light", label: "Light" },
                { value: "dark", label: "Dark" },
              ]}
            />
          </span>
        </div>
        <SelectField
          label="Time zone"
          hint="All times are shown in it"
          value={chosen}
          options={zones.map((zone) => ({
            value: zone,
            label: zone === "local" ? `This machine's: ${localZone()}` : zone,
          }))}
          onChange={chooseTimeZone}
        />
      </div>
    </Section>
  );
}

function Password() {
  const self = useSelf();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation(SessionService.method.changePassword, {
    onSuccess: () => {
      setCurrent("");
      setNext("");
      say("The password is changed; your other sessions and all your access tokens have ended.");
    },
  });
  return (
    <Section title="You">
      <div className="card padded form">
        <Facts
          entries={[
            ["Name", self.user?.displayName],
            ["E-mail address", self.user?.email],
            ["Role", enumWord(RoleSchema, self.role)],
          ]}
        />
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            change.mutate({ currentPassword: current, newPassword: next });
          }}
        >
          <TextField
            label="Current password"
            type="password"
            autoComplete="current-password"
            value={current}
            onChange={(event) => setCurrent(event.target.value)}
          />
          <NewPassword label="New password" value={next} onChange={setNext} />
          {change.error && <Failure error={change.error} />}
          <div className="form-end">
            <Button
              type="submit"
              busy={change.isPending}
              disabled={current === "" || next.length < LEAST_PASSWORD}
            >
              Change the password
            </Button>
          </div>
        </form>
      </div>
    </Section>
  );
}
