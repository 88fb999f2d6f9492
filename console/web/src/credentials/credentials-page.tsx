import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useState } from "react";
import { queryClient } from "../client/live.ts";
import { useAddressed } from "../ui/addressed.tsx";
import { Age } from "../ui/age.tsx";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { Ending, isOver } from "../ui/ending.tsx";
import { Empty, Failure } from "../ui/notice.tsx";
import { Page } from "../ui/page.tsx";
import { ListSearch } from "../ui/search.tsx";
import { SecretDialog } from "../ui/secret-dialog.tsx";
import { type Column, Table } from "../ui/table.tsx";
import { say } from "../ui/toast.tsx";

/** What a program acts with, and what was said of it when it was made. */
export interface Credential {
  id: string;
  displayName: string;
  createTime: Timestamp | undefined;
  expireTime: Timestamp | undefined;
  revokeTime: Timestamp | undefined;
}

interface List {
  error: unknown;
  isPending: boolean;
  hasNextPage: boolean;
  more: () => void;
  refetch: () => unknown;
}

/** Tokens or keys: listed, made with their secret shown once, revoked. */
export function CredentialsPage<Row extends Credential>(props: {
  title: string;
  noun: string;
  lead: string;
  list: List;
  /** What the list was searched for; typed into the page's address. */
  search: string;
  rows: Row[];
  /** What sets one apart from another kind of credential. */
  middle: Column<Row>;
  mayChange: boolean;
  revoke: (row: Row) => Promise<unknown>;
  /** Shown while nothing was made. */
  teaching: ReactNode;
  form: (close: () => void, done: (made: { credential: Row; secret: string }) => void) => ReactNode;
  /** Below the secret, such as how to use it. */
  afterSecret?: (secret: string) => ReactNode;
}) {
  const { title, noun, list, search, rows, mayChange, afterSecret } = props;
  const { set } = useAddressed();
  const [isCreating, setCreating] = useState(false);
  const [created, setCreated] = useState<{ credential: Row; secret: string }>();
  const [revoked, setRevoked] = useState<Row>();
  const revoke = useMutation({
    mutationFn: props.revoke,
    onSuccess: () => {
      say(`${revoked?.displayName} is revoked.`);
      setRevoked(undefined);
      queryClient.invalidateQueries();
    },
  });
  const create = mayChange && (
    <Button kind="main" icon="plus" onClick={() => setCreating(true)}>
      Create a {noun}
    </Button>
  );
  return (
    <Page title={title} name={title} lead={props.lead} actions={create}>
      <div className="toolbar">
        <ListSearch />
      </div>
      {list.error ? <Failure error={list.error} onRetry={() => list.refetch()} /> : null}
      <Table<Row>
        label={title}
        rows={rows}
        rowKey={({ id }) => id}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "Name",
            width: "26%",
            cell: ({ displayName }) => <span className="cut strong foreign">{displayName}</span>,
          },
          props.middle,
          {
            title: "State",
            width: "27%",
            cell: ({ expireTime, revokeTime }) => (
              <Ending expireTime={expireTime} revokeTime={revokeTime} />
            ),
          },
          { title: "Created", rank: 1, cell: ({ createTime }) => <Age time={createTime} /> },
          {
            title: "",
            width: "96px",
            number: true,
            cell: (row) =>
              mayChange &&
              !isOver(row.expireTime, row.revokeTime) && (
                <Button size="small" onClick={() => setRevoked(row)}>
                  Revoke
                </Button>
              ),
          },
        ]}
        empty={
          list.isPending ? undefined : search !== "" ? (
            <Empty
              title={`No ${noun} matches`}
              actions={<Button onClick={() => set({ search: "" }, true)}>Show all</Button>}
            />
          ) : (
            <Empty title={`No ${noun}s`} actions={create}>
              <p>{props.teaching}</p>
            </Empty>
          )
        }
      />
      {isCreating &&
        props.form(
          () => setCreating(false),
          (made) => {
            setCreating(false);
            setCreated(made);
            queryClient.invalidateQueries();
          },
        )}
      {created && (
        <SecretDialog
          title={`The ${noun} ${created.credential.displayName}`}
          secret={created.secret}
          expireTime={created.credential.expireTime}
          onDone={() => setCreated(undefined)}
        >
          {afterSecret?.(created.secret)}
        </SecretDialog>
      )}
      <Confirm
        open={revoked !== undefined}
        onClose={() => {
          setRevoked(undefined);
          revoke.reset();
        }}
        title={`Revoke the ${noun} ${revoked?.displayName}`}
        submit="Revoke"
        pending={revoke.isPending}
        error={revoke.error}
        onConfirm={() => revoked && revoke.mutate(revoked)}
      >
        <p>Whatever uses it is refused within a second. It cannot be brought back.</p>
      </Confirm>
    </Page>
  );
}
