import {
  EdgeOrder,
  Attention_Kind as Kind,
  Attention_KindSchema as KindSchema,
  EdgeStatus as Status,
} from "../../../../gen/lumetry/v1/edge_pb.js";
import { useZones } from "../client/zones.ts";
import { useAddressed } from "../ui/addressed.tsx";
import { Segments } from "../ui/button.tsx";
import { Chip } from "../ui/chip.tsx";
import { Choice } from "../ui/field.tsx";
import { ListSearch, useListSearch } from "../ui/search.tsx";
import { countText, enumWord } from "../words/counts.ts";
import { isDescending } from "./edge-columns.tsx";

const SHOWN = {
  all: {},
  active: { statuses: [Status.ACTIVE, Status.DUPLICATE_SUSPECTED] },
  attention: { needsAttention: true },
  pending: { statuses: [Status.PENDING] },
  revoked: { statuses: [Status.REVOKED] },
};
export type Shown = keyof typeof SHOWN;
const LABELS: Record<Shown, string> = {
  all: "All",
  active: "Active",
  attention: "Needs attention",
  pending: "Pending",
  revoked: "Revoked",
};

/** What a list of edges is asked for, as its address says. */
export function useEdgeFilters() {
  const { get, set } = useAddressed();
  const shown = (Object.hasOwn(SHOWN, get("show")) ? get("show") : "all") as Shown;
  const asked = Number(get("matter"));
  const kind = asked in Kind ? asked : 0;
  const search = useListSearch();
  const sort = Number(get("sort"));
  const orderBy: EdgeOrder = sort > 0 && sort in EdgeOrder ? sort : EdgeOrder.CREATE_TIME;
  const reversed = get("order") === "reversed";
  return {
    get,
    set,
    shown,
    kind,
    request: {
      ...SHOWN[shown],
      ...(kind > 0 && { attentionKinds: [kind] }),
      zoneId: get("zone"),
      search,
      orderBy,
      reversed,
    },
    isFiltered: shown !== "all" || search !== "" || get("zone") !== "" || kind > 0,
    clear: () => set({ search: "", show: "", zone: "", matter: "", cluster: "" }, true),
    sorting: {
      by: orderBy as number,
      reversed,
      isDescending,
      onSort: (by: number, isReversed: boolean) =>
        set({ sort: String(by), order: isReversed ? "reversed" : "" }, true),
    },
  };
}

export function EdgeFilters(props: {
  filters: ReturnType<typeof useEdgeFilters>;
  options: Shown[];
  needingAttention: bigint;
}) {
  const { filters, options, needingAttention } = props;
  const { get, set, shown, kind } = filters;
  const { zones } = useZones();
  return (
    <div className="toolbar">
      <ListSearch label="Search by name, host, version or id" />
      <Segments<Shown>
        label="Which are shown"
        value={shown}
        onChange={(value) => set({ show: value === "all" ? "" : value, matter: "" }, true)}
        options={options.map((value) => ({
          value,
          label:
            value === "attention" && needingAttention > 0n
              ? `${LABELS[value]} ${countText(needingAttention)}`
              : LABELS[value],
        }))}
      />
      {zones.length > 1 && (
        <Choice
          label="Zone"
          value={get("zone")}
          options={[
            { value: "", label: "All zones" },
            ...zones.map(({ zoneId, displayName }) => ({ value: zoneId, label: displayName })),
          ]}
          onChange={(zone) => set({ zone }, true)}
        />
      )}
      {kind > 0 && (
        <Chip
          text={enumWord(KindSchema, kind)}
          remove="Show all matters"
          onRemove={() => set({ matter: "" })}
        />
      )}
    </div>
  );
}
