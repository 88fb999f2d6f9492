import { durationMs } from "@bufbuild/protobuf/wkt";
import { useMutation, useQuery } from "@connectrpc/connect-query";
import { useState } from "react";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  NotificationRouteSettings_Grouping as Grouping,
  type NotificationRoute,
  NotificationRouteService,
} from "../../../../../gen/lumetry/v1/notification_route_service_pb.js";
import { conditionsText } from "../../alerting/conditions.tsx";
import { useChannels } from "../../client/channels.ts";
import { every, PACE, queryClient } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";
import { spanText } from "../../words/ages.ts";
import { RouteForm } from "./route-form.tsx";
import { WhichRoutes } from "./which-routes.tsx";

type Settings = NotificationRoute["settings"];

/** Which alerts share a message, in words. */
function groupingText(settings: Settings): string {
  if (settings?.grouping === Grouping.ALERT) return "each alert";
  if (settings?.grouping !== Grouping.LABELS) return "by incident";
  return settings.groupLabels.length > 0 ? `by ${settings.groupLabels.join(", ")}` : "all in one";
}

/** When it is told again: "every 4 hours", "never". */
function repeatText(settings: Settings): string {
  const interval = settings?.repeatInterval;
  if (!interval) return "every 4 hours";
  return durationMs(interval) === 0 ? "never" : `every ${spanText(durationMs(interval))}`;
}

export default function Routes() {
  const self = useSelf();
  const { nameOf } = useChannels();
  const { data, error, isPending, refetch } = useQuery(
    NotificationRouteService.method.listNotificationRoutes,
    {},
    { refetchInterval: every(PACE.calm) },
  );
  const routes = data?.routes ?? [];
  const [edited, setEdited] = useState<NotificationRoute | "new">();
  const [deleted, setDeleted] = useState<NotificationRoute>();
  const refresh = () => queryClient.invalidateQueries();
  const move = useMutation(NotificationRouteService.method.updateNotificationRoute, {
    onSuccess: refresh,
    onError: sayFailure,
  });
  const remove = useMutation(NotificationRouteService.method.deleteNotificationRoute, {
    onSuccess: () => {
      say(`${deleted?.settings?.displayName} is deleted.`);
      setDeleted(undefined);
      refresh();
    },
  });
  const mayChange = self.may(Role.OPERATOR);
  const create = mayChange && (
    <Button kind="main" icon="plus" onClick={() => setEdited("new")}>
      Add a route
    </Button>
  );
  const columns: Column<NotificationRoute>[] = [
    { title: "No.", number: true, width: "60px", cell: ({ position }) => String(position) },
    {
      title: "Name",
      width: "20%",
      cell: ({ settings }) => <span className="cut strong foreign">{settings?.displayName}</span>,
    },
    {
      title: "Alerts",
      rank: 1,
      cell: ({ settings }) => (
        <span className="cut foreign">{conditionsText(settings?.conditions)}</span>
      ),
    },
    {
      title: "Told on",
      width: "20%",
      cell: ({ settings }) =>
        settings && settings.channelIds.length > 0 ? (
          <span className="cut foreign">{settings.channelIds.map(nameOf).join(", ")}</span>
        ) : (
          <span className="warn">no channel</span>
        ),
    },
    { title: "Together", rank: 2, width: "12%", cell: ({ settings }) => groupingText(settings) },
    { title: "Again", rank: 2, width: "12%", cell: ({ settings }) => repeatText(settings) },
    {
      title: "Then",
      rank: 3,
      width: "11%",
      cell: ({ settings }) => (settings?.continue ? "the next, too" : "no other"),
    },
  ];
  if (mayChange) {
    columns.push({
      title: "",
      width: "60px",
      number: true,
      cell: (route) => {
        const { routeId, position } = route;
        return (
          <Menu
            trigger={<IconButton icon="more" label={`Actions on ${route.settings?.displayName}`} />}
          >
            <MenuItem onClick={() => setEdited(route)}>Edit…</MenuItem>
            <MenuItem
              disabled={position <= 1}
              onClick={() => move.mutate({ routeId, position: position - 1 })}
            >
              Ask it earlier
            </MenuItem>
            <MenuItem
              disabled={position >= routes.length}
              onClick={() => move.mutate({ routeId, position: position + 1 })}
            >
              Ask it later
            </MenuItem>
            <MenuLine />
            <MenuItem tone="bad" onClick={() => setDeleted(route)}>
              Delete…
            </MenuItem>
          </Menu>
        );
      },
    });
  }
  return (
    <Page
      title="Notification routes"
      name="Notification routes"
      lead="Which alerts are told on which channels. An alert takes the first route whose conditions hold, and those after it for as long as a route says so."
      actions={create}
    >
      {error && <Failure error={error} onRetry={() => refetch()} />}
      <Table
        label="Notification routes"
        rows={routes}
        rowKey={({ routeId }) => routeId}
        columns={columns}
        empty={
          isPending ? undefined : (
            <Empty title="No routes yet" actions={create}>
              <p>
                Until there is one, everything is told on every channel, grouped by incident. A
                route says which alerts go where, which share a message, and when they are told
                again.
              </p>
            </Empty>
          )
        }
      />
      {routes.length > 0 && <WhichRoutes />}
      {edited && (
        <RouteForm
          route={edited === "new" ? undefined : edited}
          onClose={() => setEdited(undefined)}
        />
      )}
      <Confirm
        open={deleted !== undefined}
        onClose={() => {
          setDeleted(undefined);
          remove.reset();
        }}
        title={`Delete the route ${deleted?.settings?.displayName}`}
        submit="Delete"
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => deleted && remove.mutate({ routeId: deleted.routeId })}
      >
        <p>
          What has begun to be told is told to its end where it began. Without any route, everything
          is told on every channel.
        </p>
      </Confirm>
    </Page>
  );
}
