import type { ReactNode } from "react";
import { Role } from "../../../../gen/lumetry/access/v1/access_pb.js";
import { Attention_Kind as Kind } from "../../../../gen/lumetry/v1/edge_pb.js";
import { useSelf } from "../client/session.tsx";
import { AuditTable } from "../pages/audit/audit-table.tsx";
import { useAddressed } from "../ui/addressed.tsx";
import { Notice } from "../ui/notice.tsx";
import { Page } from "../ui/page.tsx";
import { type Tab, Tabs } from "../ui/tabs.tsx";
import { Contacts } from "./contacts.tsx";
import { Drops } from "./drops.tsx";
import { Evidence } from "./evidence.tsx";
import { Processes } from "./processes.tsx";
import { type Edge, idOf, LastSeen, StatusTag } from "./words.tsx";

/** The page of a collector or of an agent: what is the matter with it, and all there is to know. */
export function EdgePage(props: {
  edge: Edge;
  parent: { title: string; path: string };
  actions: ReactNode;
  /** What each has of its own, before what both have. */
  tabs: Tab[];
}) {
  const { edge, parent, actions } = props;
  const self = useSelf();
  const { get, set } = useAddressed();
  const tabs: Tab[] = [
    ...props.tabs,
    { id: "processes", title: "Processes", body: () => <Processes edge={edge} /> },
    { id: "heartbeats", title: "Heartbeats", body: () => <Contacts edge={edge} /> },
    { id: "drops", title: "Drops", body: () => <Drops edge={edge} /> },
    ...(self.may(Role.ADMIN)
      ? [
          {
            id: "activity",
            title: "Activity",
            body: () => <AuditTable targetId={idOf(edge)} label="What was done with it" />,
          },
        ]
      : []),
  ];
  const [first] = tabs;
  const open = tabs.some(({ id }) => id === get("tab")) ? get("tab") : (first?.id ?? "");
  const { duplicateEvidence } = edge;
  return (
    <Page
      title={edge.displayName}
      name={edge.displayName}
      parent={parent}
      beside={
        <>
          <StatusTag edge={edge} />
          {edge.lastSeenTime && (
            <span className="soft">
              seen <LastSeen edge={edge} />
            </span>
          )}
        </>
      }
      actions={actions}
    >
      {duplicateEvidence && <Evidence edge={edge} evidence={duplicateEvidence} />}
      {edge.attention
        .filter(({ kind }) => !(duplicateEvidence && kind === Kind.DUPLICATE_SUSPECTED))
        .map(({ kind, message }) => (
          <Notice key={kind} tone="warn">
            <span className="foreign">{message}</span>
          </Notice>
        ))}
      <Tabs
        tabs={tabs}
        open={open}
        onOpen={(tab) => set({ tab: tab === first?.id ? "" : tab }, true)}
      />
    </Page>
  );
}
