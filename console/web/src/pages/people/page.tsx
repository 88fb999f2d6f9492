import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Role, RoleSchema } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  User_Status as Status,
  User_StatusSchema as StatusSchema,
  type User,
} from "../../../../../gen/lumetry/v1/user_pb.js";
import { type Invitation, UserService } from "../../../../../gen/lumetry/v1/user_service_pb.js";
import { PACE, queryClient } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import { Empty, Failure, Tag, type Tone } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { ListSearch, useListSearch } from "../../ui/search.tsx";
import { SecretDialog } from "../../ui/secret-dialog.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";
import { enumWord } from "../../words/counts.ts";
import { GIVEN_ROLES, Invite } from "./invite.tsx";

const TONES: Partial<Record<Status, Tone>> = {
  [Status.ACTIVE]: "good",
  [Status.INVITED]: "warn",
};

export default function People() {
  const self = useSelf();
  const { set } = useAddressed();
  const search = useListSearch();
  const list = usePages(UserService.method.listUsers, { search }, { pace: PACE.calm });
  const [isInviting, setInviting] = useState(false);
  const [invitation, setInvitation] = useState<Invitation>();
  const refresh = () => queryClient.invalidateQueries();
  const replace = useMutation(UserService.method.replaceInvitation, {
    onSuccess: (response) => {
      setInvitation(response.invitation);
      refresh();
    },
    onError: sayFailure,
  });
  const update = useMutation(UserService.method.updateUser, { onSuccess: refresh });
  const change = async (user: User, now: { role?: Role; disabled?: boolean }, words: string) => {
    const { userId } = user;
    try {
      await update.mutateAsync({ userId, ...now });
    } catch (error) {
      return sayFailure(error);
    }
    say(words, {
      label: "Undo",
      run: () =>
        update.mutateAsync({
          userId,
          ...(now.role !== undefined && { role: user.role }),
          ...(now.disabled !== undefined && { disabled: !now.disabled }),
        }),
    });
  };
  const isAdmin = self.may(Role.ADMIN);
  const columns: Column<User>[] = [
    {
      title: "Name",
      width: "24%",
      cell: ({ displayName, userId }) => (
        <span className="cut">
          <span className="strong foreign">{displayName}</span>
          {userId === self.user?.userId && <span className="soft"> you</span>}
        </span>
      ),
    },
    {
      title: "E-mail address",
      rank: 1,
      cell: ({ email }) => <span className="cut foreign">{email}</span>,
    },
    { title: "Role", width: "12%", cell: ({ role }) => enumWord(RoleSchema, role) },
    {
      title: "Status",
      width: "14%",
      cell: ({ status }) => (
        <Tag tone={TONES[status] ?? "plain"}>{enumWord(StatusSchema, status)}</Tag>
      ),
    },
    {
      title: "Last signed in",
      rank: 1,
      cell: ({ lastSignInTime }) => <Age time={lastSignInTime} />,
    },
  ];
  if (isAdmin) {
    columns.push({
      title: "",
      width: "60px",
      number: true,
      cell: (user) => (
        <Menu trigger={<IconButton icon="more" label={`Actions on ${user.displayName}`} />}>
          {GIVEN_ROLES.filter((role) => role !== user.role && user.role !== Role.OWNER).map(
            (role) => (
              <MenuItem
                key={role}
                onClick={() =>
                  change(
                    user,
                    { role },
                    `${user.displayName} is ${enumWord(RoleSchema, role)} now.`,
                  )
                }
              >
                Make {enumWord(RoleSchema, role)}
              </MenuItem>
            ),
          )}
          <MenuItem
            disabled={user.status === Status.DISABLED}
            onClick={() => replace.mutate({ userId: user.userId })}
          >
            New invitation…
          </MenuItem>
          <MenuLine />
          {user.status === Status.DISABLED ? (
            <MenuItem
              onClick={() => change(user, { disabled: false }, `${user.displayName} is enabled.`)}
            >
              Enable
            </MenuItem>
          ) : (
            <MenuItem
              tone="bad"
              onClick={() =>
                change(
                  user,
                  { disabled: true },
                  `${user.displayName} is disabled; all their sessions and tokens ended.`,
                )
              }
            >
              Disable
            </MenuItem>
          )}
        </Menu>
      ),
    });
  }
  return (
    <Page
      title="People"
      name="People"
      lead="A viewer looks, an operator also configures, an admin also registers, revokes and invites."
      actions={
        isAdmin && (
          <Button kind="main" icon="plus" onClick={() => setInviting(true)}>
            Invite somebody
          </Button>
        )
      }
    >
      <div className="toolbar">
        <ListSearch label="Search by name, address or id" />
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table
        label="People"
        rows={list.pages.flatMap(({ users }) => users)}
        rowKey={({ userId }) => userId}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={columns}
        empty={
          list.isPending ? undefined : (
            <Empty
              title="Nobody matches"
              actions={<Button onClick={() => set({ search: "" }, true)}>Show all</Button>}
            />
          )
        }
      />
      {isInviting && (
        <Invite
          onClose={() => setInviting(false)}
          onInvited={(made) => {
            setInviting(false);
            setInvitation(made);
          }}
        />
      )}
      {invitation && (
        <SecretDialog
          title="Give them this link"
          secret={`${location.origin}/invitation#${invitation.secret}`}
          expireTime={invitation.expireTime}
          onDone={() => setInvitation(undefined)}
        >
          <p className="soft">
            With it they choose a password. Whoever has it can do that in their place: send it to
            them only. With the command line: <code>lumetry login --invitation …</code>
          </p>
        </SecretDialog>
      )}
    </Page>
  );
}
