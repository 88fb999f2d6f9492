import { useMutation } from "@connectrpc/connect-query";
import { useEffect, useState } from "react";
import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  TopologyNode_Kind as Kind,
  TopologyNode_KindSchema as KindSchema,
  type TopologyNode,
  TopologyService,
} from "../../../../../gen/lumetry/v1/topology_service_pb.js";
import { PACE, queryClient } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { Age } from "../../ui/age.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Menu, MenuItem } from "../../ui/menu.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import { say } from "../../ui/toast.tsx";
import { counted, enumWord } from "../../words/counts.ts";
import { NodeForm } from "./node-form.tsx";
import { asTree } from "./tree.ts";

export default function Topology() {
  const self = useSelf();
  const list = usePages(
    TopologyService.method.listTopologyNodes,
    { pageSize: 200 },
    { pace: PACE.calm },
  );
  // A tree is only one when all of it is there.
  const { hasNextPage, more } = list;
  useEffect(() => {
    if (hasNextPage) more();
  }, [hasNextPage, more]);
  const nodes = list.pages.flatMap((page) => page.nodes);
  const [edited, setEdited] = useState<TopologyNode | "new">();
  const [deleted, setDeleted] = useState<TopologyNode>();
  const remove = useMutation(TopologyService.method.deleteTopologyNode, {
    onSuccess: () => {
      say(`${deleted?.displayName} is deleted.`);
      setDeleted(undefined);
      queryClient.invalidateQueries();
    },
  });
  const mayEdit = self.may(Role.OPERATOR);
  const add = mayEdit && (
    <Button kind="main" icon="plus" onClick={() => setEdited("new")}>
      Add a place
    </Button>
  );
  return (
    <Page
      title="Topology"
      name="Topology"
      lead="Sites hold groups, groups hold clusters, and hosts are placed in clusters: when they enroll, or later."
      actions={add}
    >
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table
        label="Places"
        rows={asTree(nodes)}
        rowKey={({ node }) => node.nodeId}
        columns={[
          {
            title: "Place",
            width: "36%",
            cell: ({ node, depth }) => (
              <span className="cut strong foreign" style={{ paddingLeft: depth * 22 }}>
                {node.displayName}
              </span>
            ),
          },
          { title: "Kind", width: "12%", cell: ({ node }) => enumWord(KindSchema, node.kind) },
          {
            title: "Hosts",
            number: true,
            width: "12%",
            cell: ({ node }) =>
              node.kind === Kind.CLUSTER && (
                <Link href={`/agents?cluster=${node.nodeId}`}>{counted(node.agents, "host")}</Link>
              ),
          },
          { title: "Id", rank: 1, cell: ({ node }) => <code>{node.nodeId}</code> },
          { title: "Created", rank: 2, cell: ({ node }) => <Age time={node.createTime} /> },
          {
            title: "",
            width: "60px",
            number: true,
            cell: ({ node }) =>
              mayEdit && (
                <Menu trigger={<IconButton icon="more" label={`Actions on ${node.displayName}`} />}>
                  <MenuItem onClick={() => setEdited(node)}>Edit…</MenuItem>
                  {self.may(Role.ADMIN) && (
                    <MenuItem tone="bad" onClick={() => setDeleted(node)}>
                      Delete…
                    </MenuItem>
                  )}
                </Menu>
              ),
          },
        ]}
        empty={
          list.isPending ? undefined : (
            <Empty title="No places yet" actions={add}>
              <p>
                Make a cluster, and hosts can ask for it by its name or id when they enroll:{" "}
                <code>--cluster=web</code>.
              </p>
            </Empty>
          )
        }
      />
      {edited && (
        <NodeForm
          node={edited === "new" ? undefined : edited}
          nodes={nodes}
          onClose={() => setEdited(undefined)}
        />
      )}
      <Confirm
        open={deleted !== undefined}
        onClose={() => {
          setDeleted(undefined);
          remove.reset();
        }}
        title={`Delete ${deleted?.displayName}`}
        submit="Delete"
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => deleted && remove.mutate({ nodeId: deleted.nodeId })}
      >
        <p>A place that holds anything is not deleted.</p>
      </Confirm>
    </Page>
  );
}
