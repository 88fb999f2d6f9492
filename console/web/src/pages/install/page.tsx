import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type CreateEnrollmentProfileResponse,
  type EnrollmentProfile,
  EnrollmentProfileService,
  EnrollmentProfile_Status as Status,
  EnrollmentProfile_StatusSchema as StatusSchema,
} from "../../../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useZones } from "../../client/zones.ts";
import { ConfigurationTab } from "../../edges/configuration.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Confirm, Dialog } from "../../ui/dialog.tsx";
import { Menu, MenuItem } from "../../ui/menu.tsx";
import { Empty, Failure, Tag } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { ListSearch, useListSearch } from "../../ui/search.tsx";
import { Table } from "../../ui/table.tsx";
import { say } from "../../ui/toast.tsx";
import { countText, enumWord } from "../../words/counts.ts";
import { Arrivals } from "./arrivals.tsx";
import { CreateProfile } from "./create-profile.tsx";

export default function Install() {
  const self = useSelf();
  const { nameOf } = useZones();
  const { get, set } = useAddressed();
  const search = useListSearch();
  const list = usePages(EnrollmentProfileService.method.listEnrollmentProfiles, { search });
  const profiles = list.pages.flatMap(({ profiles: each }) => each);
  const [isCreating, setCreating] = useState(false);
  const [created, setCreated] = useState<CreateEnrollmentProfileResponse>();
  const [disabled, setDisabled] = useState<EnrollmentProfile>();
  const disable = useMutation(EnrollmentProfileService.method.disableEnrollmentProfile, {
    onSuccess: () => {
      say(`${disabled?.displayName} is disabled.`);
      setDisabled(undefined);
      queryClient.invalidateQueries();
    },
  });
  const configured = profiles.find(({ profileId }) => profileId === get("profile"));
  const create = self.may(Role.ADMIN) && (
    <Button kind="main" icon="plus" onClick={() => setCreating(true)}>
      New profile
    </Button>
  );
  return (
    <Page
      title="Install agents"
      name="Install agents"
      parent={{ title: "Agents", path: "/agents" }}
      lead="A profile's token enrolls as many hosts as it allows, until it ends. It is shown once, in the commands to run on the hosts."
      actions={create}
    >
      <div className="toolbar">
        <ListSearch />
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table<EnrollmentProfile>
        label="Enrollment profiles"
        rows={profiles}
        rowKey={({ profileId }) => profileId}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "Profile",
            width: "26%",
            cell: ({ displayName, profileId }) => (
              <Link className="cut foreign" href={`/agents?profile=${profileId}`}>
                {displayName}
              </Link>
            ),
          },
          {
            title: "State",
            width: "14%",
            cell: ({ status }) => (
              <Tag tone={status === Status.ACTIVE ? "good" : "plain"}>
                {enumWord(StatusSchema, status)}
              </Tag>
            ),
          },
          { title: "Ends", rank: 1, cell: ({ expireTime }) => <Age time={expireTime} /> },
          {
            title: "Uses left",
            number: true,
            width: "14%",
            cell: ({ remainingUses, maxUses }) =>
              `${countText(remainingUses)} of ${countText(maxUses)}`,
          },
          {
            title: "Zone",
            rank: 2,
            cell: ({ zoneId }) => <span className="cut foreign">{nameOf(zoneId)}</span>,
          },
          { title: "Created", rank: 2, cell: ({ createTime }) => <Age time={createTime} /> },
          {
            title: "",
            width: "60px",
            number: true,
            cell: (profile) => (
              <Menu
                trigger={<IconButton icon="more" label={`Actions on ${profile.displayName}`} />}
              >
                <MenuItem onClick={() => set({ profile: profile.profileId }, true)}>
                  Configuration of its agents…
                </MenuItem>
                {self.may(Role.ADMIN) && (
                  <MenuItem
                    tone="bad"
                    disabled={profile.status === Status.DISABLED}
                    onClick={() => setDisabled(profile)}
                  >
                    Disable…
                  </MenuItem>
                )}
              </Menu>
            ),
          },
        ]}
        empty={
          list.isPending ? undefined : search !== "" ? (
            <Empty
              title="No profile matches"
              actions={<Button onClick={() => set({ search: "" }, true)}>Show all</Button>}
            />
          ) : (
            <Empty title="No profiles yet" actions={create}>
              <p>
                Make a profile to get the commands for Linux and for Windows Server. Hosts that run
                one appear under Agents within seconds.
              </p>
            </Empty>
          )
        }
      />
      {isCreating && (
        <CreateProfile
          onClose={() => setCreating(false)}
          onCreated={(response) => {
            setCreating(false);
            setCreated(response);
          }}
        />
      )}
      {created && <Arrivals created={created} onDone={() => setCreated(undefined)} />}
      <Dialog
        open={configured !== undefined}
        onClose={() => set({ profile: "" }, true)}
        wide
        title={`Configuration of the agents of ${configured?.displayName}`}
      >
        {configured && <ConfigurationTab targetId={configured.profileId} />}
      </Dialog>
      <Confirm
        open={disabled !== undefined}
        onClose={() => setDisabled(undefined)}
        title={`Disable the profile ${disabled?.displayName}`}
        submit="Disable for good"
        pending={disable.isPending}
        error={disable.error}
        onConfirm={() => disabled && disable.mutate({ profileId: disabled.profileId })}
      >
        <p>
          Its token enrolls no more hosts, from now on and for good. Hosts that have enrolled by it
          go on.
        </p>
      </Confirm>
    </Page>
  );
}
