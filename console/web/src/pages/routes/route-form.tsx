import { type Duration, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import {
  NotificationRouteSettings_Grouping as Grouping,
  type NotificationRoute,
  NotificationRouteService,
} from "../../../../../gen/lumetry/v1/notification_route_service_pb.js";
import { AlertConditionsFields } from "../../alerting/conditions.tsx";
import { useChannels } from "../../client/channels.ts";
import { useClusters } from "../../client/clusters.ts";
import { queryClient } from "../../client/live.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { CheckField, SelectField, TextField } from "../../ui/field.tsx";
import { say } from "../../ui/toast.tsx";
import type { Matcher } from "../../words/labels.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const WAITS = [
  { value: 0, label: "not at all" },
  { value: MINUTE_MS / 2, label: "30 seconds" },
  { value: MINUTE_MS, label: "a minute" },
  { value: 5 * MINUTE_MS, label: "5 minutes" },
];
const INTERVALS = [
  { value: 0, label: "none" },
  { value: MINUTE_MS, label: "a minute" },
  { value: 5 * MINUTE_MS, label: "5 minutes" },
  { value: 30 * MINUTE_MS, label: "half an hour" },
  { value: HOUR_MS, label: "an hour" },
];
const REPEATS = [
  { value: 0, label: "never" },
  { value: HOUR_MS, label: "every hour" },
  { value: 4 * HOUR_MS, label: "every 4 hours" },
  { value: 12 * HOUR_MS, label: "every 12 hours" },
  { value: 24 * HOUR_MS, label: "every day" },
];

/** The same with what somebody has set otherwise. */
const withOwn = (options: { value: number; label: string }[], own: number) =>
  options.some(({ value }) => value === own)
    ? options
    : [...options, { value: own, label: `${own / 1000} seconds` }];

const msOf = (duration: Duration | undefined, otherwise: number) =>
  duration ? durationMs(duration) : otherwise;

/** A new route, or one to change. */
export function RouteForm(props: { route: NotificationRoute | undefined; onClose: () => void }) {
  const { route, onClose } = props;
  const settings = route?.settings;
  const { channels } = useChannels();
  const { clusters } = useClusters();
  const [displayName, setDisplayName] = useState(settings?.displayName ?? "");
  const [matchers, setMatchers] = useState<Matcher[]>(settings?.conditions?.matchers ?? []);
  const [severities, setSeverities] = useState(settings?.conditions?.severities ?? []);
  const [clusterIds, setClusterIds] = useState(settings?.conditions?.clusterIds ?? []);
  const [channelIds, setChannelIds] = useState(settings?.channelIds ?? []);
  const [grouping, setGrouping] = useState<Grouping>(settings?.grouping || Grouping.INCIDENT);
  const [groupLabels, setGroupLabels] = useState(settings?.groupLabels.join(", ") ?? "");
  const [wait, setWait] = useState(msOf(settings?.groupWait, 0));
  const [interval, setInterval] = useState(msOf(settings?.groupInterval, 5 * MINUTE_MS));
  const [repeat, setRepeat] = useState(msOf(settings?.repeatInterval, 4 * HOUR_MS));
  const [goesOn, setGoesOn] = useState(settings?.continue ?? false);
  const create = useMutation(NotificationRouteService.method.createNotificationRoute);
  const update = useMutation(NotificationRouteService.method.updateNotificationRoute);
  const save = async () => {
    const next = {
      displayName,
      conditions: {
        matchers,
        severities,
        clusterIds,
        ruleIds: settings?.conditions?.ruleIds ?? [],
      },
      channelIds,
      grouping,
      groupLabels: groupLabels.split(/[\s,]+/).filter(Boolean),
      groupWait: durationFromMs(wait),
      groupInterval: durationFromMs(interval),
      repeatInterval: durationFromMs(repeat),
      continue: goesOn,
    };
    if (route) await update.mutateAsync({ routeId: route.routeId, settings: next });
    else await create.mutateAsync({ settings: next });
    queryClient.invalidateQueries();
    say(`${displayName} is ${route ? "changed" : "added"}.`);
    onClose();
  };
  const toggle = (list: string[], id: string, isIn: boolean) =>
    isIn ? [...list, id] : list.filter((each) => each !== id);
  return (
    <FormDialog
      open
      onClose={onClose}
      title={route ? "Edit the route" : "Add a route"}
      submit={route ? "Save" : "Add"}
      pending={create.isPending || update.isPending}
      error={create.error ?? update.error}
      ready={displayName.trim() !== ""}
      onSubmit={() => void save().catch(() => {})}
    >
      <TextField
        label="Name"
        maxLength={128}
        autoFocus
        autoComplete="off"
        value={displayName}
        onChange={({ target }) => setDisplayName(target.value)}
      />
      <AlertConditionsFields
        matchers={matchers}
        severities={severities}
        onMatchers={setMatchers}
        onSeverities={setSeverities}
      />
      {clusters.length > 0 && (
        <fieldset className="field plain-set">
          <legend className="legend">About hosts of the clusters</legend>
          <div className="toolbar">
            {clusters.map(({ nodeId, displayName: name }) => (
              <CheckField
                key={nodeId}
                label={<span className="foreign">{name}</span>}
                checked={clusterIds.includes(nodeId)}
                onChange={(isIn) => setClusterIds(toggle(clusterIds, nodeId, isIn))}
              />
            ))}
          </div>
          <span className="hint">About anything when none is chosen</span>
        </fieldset>
      )}
      <fieldset className="field plain-set">
        <legend className="legend">Told on</legend>
        {channels.map(({ channelId, displayName: name }) => (
          <CheckField
            key={channelId}
            label={<span className="foreign">{name}</span>}
            checked={channelIds.includes(channelId)}
            onChange={(isIn) => setChannelIds(toggle(channelIds, channelId, isIn))}
          />
        ))}
        <span className="hint">None keeps the alerts that match from being told</span>
      </fieldset>
      <SelectField<Grouping>
        label="Alerts that share a message"
        value={grouping}
        options={[
          { value: Grouping.INCIDENT, label: "all of an incident" },
          { value: Grouping.LABELS, label: "all with the same values of some labels" },
          { value: Grouping.ALERT, label: "none: each has its own" },
        ]}
        onChange={setGrouping}
      />
      {grouping === Grouping.LABELS && (
        <TextField
          label="These labels"
          hint="With commas between them; all alerts are one group when there are none"
          spellCheck={false}
          value={groupLabels}
          onChange={({ target }) => setGroupLabels(target.value)}
        />
      )}
      <div className="form-row">
        <SelectField
          label="Waits for more alerts"
          value={wait}
          options={withOwn(WAITS, wait)}
          onChange={setWait}
        />
        <SelectField
          label="Least time between two"
          value={interval}
          options={withOwn(INTERVALS, interval)}
          onChange={setInterval}
        />
        <SelectField
          label="Told again"
          value={repeat}
          options={withOwn(REPEATS, repeat)}
          onChange={setRepeat}
        />
      </div>
      <CheckField
        label="Ask the routes after this one, too"
        checked={goesOn}
        onChange={setGoesOn}
      />
    </FormDialog>
  );
}
