import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import { type Zone, ZoneService } from "../../../../../gen/lumetry/v1/zone_service_pb.js";
import { PACE, queryClient } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Menu, MenuItem } from "../../ui/menu.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { ListSearch, useListSearch } from "../../ui/search.tsx";
import { Table } from "../../ui/table.tsx";
import { say } from "../../ui/toast.tsx";
import { ZoneForm } from "./zone-form.tsx";

export default function Zones() {
  const self = useSelf();
  const { set } = useAddressed();
  const search = useListSearch();
  const list = usePages(ZoneService.method.listZones, { search }, { pace: PACE.calm });
  const zones = list.pages.flatMap(({ zones }) => zones);
  const [edited, setEdited] = useState<Zone | "new">();
  const [deleted, setDeleted] = useState<Zone>();
  const remove = useMutation(ZoneService.method.deleteZone, {
    onSuccess: () => {
      say(`${deleted?.displayName} is deleted.`);
      setDeleted(undefined);
      queryClient.invalidateQueries();
    },
  });
  const isAdmin = self.may(Role.ADMIN);
  return (
    <Page
      title="Zones"
      name="Zones"
      lead="A zone is a customer's network. Every collector belongs to one, and works inside it only."
      actions={
        isAdmin && (
          <Button kind="main" icon="plus" onClick={() => setEdited("new")}>
            Add a zone
          </Button>
        )
      }
    >
      <div className="toolbar">
        <ListSearch />
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table
        label="Zones"
        rows={zones}
        rowKey={({ zoneId }) => zoneId}
        href={({ zoneId }) => `/collectors?zone=${zoneId}`}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "Name",
            width: "26%",
            cell: ({ zoneId, displayName }) => (
              <Link className="cut foreign" href={`/collectors?zone=${zoneId}`} tabIndex={-1}>
                {displayName}
              </Link>
            ),
          },
          { title: "Id", rank: 2, cell: ({ zoneId }) => <code>{zoneId}</code> },
          {
            title: "Allowed networks",
            width: "34%",
            cell: ({ allowedNetworks }) =>
              allowedNetworks.length > 0 ? (
                <span className="cut">{allowedNetworks.join(", ")}</span>
              ) : (
                <span className="soft">every private network</span>
              ),
          },
          { title: "Created", rank: 1, cell: ({ createTime }) => <Age time={createTime} /> },
          ...(isAdmin
            ? [
                {
                  title: "",
                  width: "60px",
                  number: true,
                  cell: (zone: Zone) => (
                    <Menu
                      trigger={<IconButton icon="more" label={`Actions on ${zone.displayName}`} />}
                    >
                      <MenuItem onClick={() => setEdited(zone)}>Edit…</MenuItem>
                      <MenuItem tone="bad" onClick={() => setDeleted(zone)}>
                        Delete…
                      </MenuItem>
                    </Menu>
                  ),
                },
              ]
            : []),
        ]}
        empty={
          list.isPending ? undefined : search !== "" ? (
            <Empty
              title="No zone matches"
              actions={<Button onClick={() => set({ search: "" }, true)}>Show all</Button>}
            />
          ) : (
            <Empty title="No zones" />
          )
        }
      />
      {edited && (
        <ZoneForm
          zone={edited === "new" ? undefined : edited}
          onClose={() => setEdited(undefined)}
        />
      )}
      <Confirm
        open={deleted !== undefined}
        onClose={() => {
          setDeleted(undefined);
          remove.reset();
        }}
        title={`Delete the zone ${deleted?.displayName}`}
        submit="Delete"
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => deleted && remove.mutate({ zoneId: deleted.zoneId })}
      >
        <p>A zone to which something belongs is not deleted; nothing else is lost with it.</p>
      </Confirm>
    </Page>
  );
}
