import { useQuery } from "@connectrpc/connect-query";
import { useState } from "react";
import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type SystemAlertKind,
  SystemAlertService,
  type SystemAlertSettings,
  type WatchedKind,
} from "../../../../../gen/lumetry/v1/system_alert_service_pb.js";
import { every, PACE } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Button, Segments } from "../../ui/button.tsx";
import { Chip } from "../../ui/chip.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { kindName } from "../../words/system-alerts.ts";
import { draftOf, isSame } from "./draft.ts";
import { KindCard } from "./kind-card.tsx";
import { KindForm } from "./kind-form.tsx";

interface Watched {
  watched: WatchedKind;
  settings: SystemAlertSettings;
  defaults: SystemAlertSettings;
}

const SHOWN = {
  all: () => true,
  open: ({ watched: { firing, suppressed, pending } }: Watched) =>
    firing + suppressed + pending > 0n,
  changed: ({ watched: { kind }, settings, defaults }: Watched) =>
    !isSame(kind, draftOf(settings), draftOf(defaults)),
};
type Shown = keyof typeof SHOWN;
const LABELS: Record<Shown, string> = { all: "All", open: "Open now", changed: "Changed" };

/** Each kind with how it is watched; what a newer server leaves out is not shown. */
const settled = (kinds: readonly WatchedKind[]): Watched[] =>
  kinds.flatMap((watched) => {
    const { settings, defaults } = watched;
    return settings && defaults ? [{ watched, settings, defaults }] : [];
  });

export default function SystemAlerts() {
  const self = useSelf();
  const { get, set } = useAddressed();
  const shown = (Object.hasOwn(SHOWN, get("show")) ? get("show") : "all") as Shown;
  const only = get("kind");
  const { data, error, refetch } = useQuery(
    SystemAlertService.method.listSystemAlertKinds,
    {},
    { refetchInterval: every(PACE.live) },
  );
  const [edited, setEdited] = useState<SystemAlertKind>();
  const all = settled(data?.kinds ?? []);
  const isMeant = ({ watched: { kind } }: Watched) => only === "" || kindName(kind) === only;
  const rows = all.filter((each) => SHOWN[shown](each) && isMeant(each));
  const open = all.find(({ watched }) => watched.kind === edited);
  const look = async () => {
    const { data: latest, error: failure } = await refetch();
    if (failure) throw failure;
    return latest?.kinds.find(({ kind }) => kind === edited)?.settings;
  };
  return (
    <Page
      title="System alerts"
      name="System alerts"
      lead="What Lumetry watches by itself, without a rule. The alerts that come of it join incidents and are told like those of rules."
    >
      <div className="toolbar">
        <Segments<Shown>
          label="Which are shown"
          value={shown}
          options={(Object.keys(SHOWN) as Shown[]).map((value) => ({
            value,
            label: LABELS[value],
          }))}
          onChange={(value) => set({ show: value === "all" ? "" : value }, true)}
        />
        {only !== "" && (
          <Chip
            text={`only ${only.replaceAll("_", " ")}`}
            remove="All kinds"
            onRemove={() => set({ kind: "" }, true)}
          />
        )}
      </div>
      {error && <Failure error={error} onRetry={() => refetch()} />}
      {rows.length > 0 ? (
        <ul className="watched-kinds" aria-label="Kinds of system alerts">
          {rows.map((each) => (
            <KindCard
              key={each.watched.kind}
              {...each}
              mayChange={self.may(Role.OPERATOR)}
              onChange={() => setEdited(each.watched.kind)}
            />
          ))}
        </ul>
      ) : (
        data && (
          <div className="card">
            <Empty
              title={
                only === "" && shown === "open"
                  ? "Nothing that Lumetry watches is amiss"
                  : only === "" && shown === "changed"
                    ? "All is watched as Lumetry comes with it"
                    : "No such kind here"
              }
              actions={<Button onClick={() => set({ show: "", kind: "" }, true)}>Show all</Button>}
            >
              <p>
                What your rules find is under <Link href="/alerts">alerts</Link>, together with
                this.
              </p>
            </Empty>
          </div>
        )
      )}
      {open && <KindForm {...open} onLook={look} onClose={() => setEdited(undefined)} />}
    </Page>
  );
}
