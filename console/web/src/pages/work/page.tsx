import {
  WorkItem_Kind as Kind,
  WorkItem_State as State,
} from "../../../../../gen/lumetry/v1/work_query_service_pb.js";
import { useZones } from "../../client/zones.ts";
import { useAddressed } from "../../ui/addressed.tsx";
import { Segments } from "../../ui/button.tsx";
import { Choice } from "../../ui/field.tsx";
import { Page } from "../../ui/page.tsx";
import { Tabs } from "../../ui/tabs.tsx";
import { WorkItems } from "../../work/work-items.tsx";
import { Workers } from "./workers.tsx";

const KINDS = { poll: Kind.POLL, test: Kind.TEST, deliver: Kind.DELIVER };
const SHOWN = {
  open: [],
  claimed: [State.CLAIMED],
  failed: [State.FAILED, State.EXPIRED],
};
type Shown = keyof typeof SHOWN;

export default function Work() {
  const { zones } = useZones();
  const { get, set } = useAddressed();
  const zoneId = get("zone");
  const kind = Object.hasOwn(KINDS, get("kind")) ? (get("kind") as keyof typeof KINDS) : "";
  const shown = (Object.hasOwn(SHOWN, get("show")) ? get("show") : "open") as Shown;
  const zone = zones.length > 1 && (
    <Choice
      label="Zone"
      value={zoneId}
      options={[
        { value: "", label: "All zones" },
        ...zones.map((each) => ({ value: each.zoneId, label: each.displayName })),
      ]}
      onChange={(value) => set({ zone: value }, true)}
    />
  );
  return (
    <Page
      title="Work"
      name="Work"
      lead="What collectors are to do inside their zones: polls, tests and deliveries, each under a lease of one of them at a time."
    >
      <Tabs
        open={get("tab") === "collectors" ? "collectors" : "items"}
        onOpen={(tab) => set({ tab: tab === "items" ? "" : tab }, true)}
        tabs={[
          {
            id: "items",
            title: "Items",
            body: () => (
              <div className="section">
                <div className="toolbar">
                  <Segments<Shown>
                    label="Which are shown"
                    value={shown}
                    options={[
                      { value: "open", label: "Due and claimed" },
                      { value: "claimed", label: "Claimed" },
                      { value: "failed", label: "Failed" },
                    ]}
                    onChange={(value) => set({ show: value === "open" ? "" : value }, true)}
                  />
                  <Choice
                    label="Kind"
                    value={kind}
                    options={[
                      { value: "", label: "All kinds" },
                      { value: "poll", label: "Polls" },
                      { value: "test", label: "Tests" },
                      { value: "deliver", label: "Deliveries" },
                    ]}
                    onChange={(value) => set({ kind: value }, true)}
                  />
                  {zone}
                </div>
                <WorkItems
                  zoneId={zoneId}
                  kinds={kind === "" ? [] : [KINDS[kind]]}
                  states={SHOWN[shown]}
                  empty="Polls of sources, tests that somebody asked for, and messages to deliver are listed here."
                />
              </div>
            ),
          },
          {
            id: "collectors",
            title: "Collectors",
            body: () => (
              <div className="section">
                {zone && <div className="toolbar">{zone}</div>}
                <Workers zoneId={zoneId} />
              </div>
            ),
          },
        ]}
      />
    </Page>
  );
}
