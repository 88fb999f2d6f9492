import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import {
  TopologyNode_Kind as Kind,
  TopologyNode_KindSchema as KindSchema,
  type TopologyNode,
  TopologyService,
} from "../../../../../gen/lumetry/v1/topology_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { say } from "../../ui/toast.tsx";
import { enumValues, enumWord } from "../../words/counts.ts";

/** A new place, or one to change. */
export function NodeForm(props: {
  node: TopologyNode | undefined;
  nodes: TopologyNode[];
  onClose: () => void;
}) {
  const { node, nodes, onClose } = props;
  const [kind, setKind] = useState<Kind>(node?.kind ?? Kind.CLUSTER);
  const [displayName, setDisplayName] = useState(node?.displayName ?? "");
  const [parentId, setParentId] = useState(node?.parentId ?? "");
  const refresh = () => queryClient.invalidateQueries();
  const create = useMutation(TopologyService.method.createTopologyNode, { onSuccess: refresh });
  const update = useMutation(TopologyService.method.updateTopologyNode, { onSuccess: refresh });
  /** A site may hold groups and clusters, a group clusters. */
  const parents = nodes.filter((each) => each.kind < kind && each.nodeId !== node?.nodeId);

  const save = async () => {
    if (!node) {
      await create.mutateAsync({ kind, displayName, parentId });
      say(`${displayName} is added.`);
      return onClose();
    }
    const { nodeId } = node;
    await update.mutateAsync({ nodeId, displayName, parentId });
    say(`${displayName} is changed.`, {
      label: "Undo",
      run: () =>
        update.mutateAsync({ nodeId, displayName: node.displayName, parentId: node.parentId }),
    });
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={node ? `Edit the ${enumWord(KindSchema, node.kind)}` : "Add a place"}
      submit={node ? "Save" : "Add"}
      pending={create.isPending || update.isPending}
      error={create.error ?? update.error}
      ready={displayName.trim() !== ""}
      onSubmit={() => void save().catch(() => {})}
    >
      {!node && (
        <SelectField<Kind>
          label="Kind"
          value={kind}
          options={enumValues(KindSchema).map((value) => ({
            value,
            label: enumWord(KindSchema, value),
          }))}
          onChange={(value) => {
            setKind(value);
            setParentId("");
          }}
        />
      )}
      <TextField
        label="Name"
        maxLength={128}
        autoFocus
        value={displayName}
        onChange={(event) => setDisplayName(event.target.value)}
      />
      {kind !== Kind.SITE && (
        <SelectField
          label="In"
          value={parentId}
          options={[
            { value: "", label: "Nothing" },
            ...parents.map((each) => ({
              value: each.nodeId,
              label: `${each.displayName} (${enumWord(KindSchema, each.kind)})`,
            })),
          ]}
          onChange={setParentId}
        />
      )}
    </FormDialog>
  );
}
