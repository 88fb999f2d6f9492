import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import type { Agent } from "../../../../../gen/lumetry/v1/agent_pb.js";
import { AgentService } from "../../../../../gen/lumetry/v1/agent_service_pb.js";
import { EdgeStatus as Status } from "../../../../../gen/lumetry/v1/edge_pb.js";
import { useClusters } from "../../client/clusters.ts";
import { queryClient } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { useZones } from "../../client/zones.ts";
import { useEdgeCall } from "../../edges/calls.ts";
import { Rename } from "../../edges/rename.tsx";
import { Revoke } from "../../edges/revoke.tsx";
import { Button } from "../../ui/button.tsx";
import { FormDialog } from "../../ui/dialog.tsx";
import { SelectField } from "../../ui/field.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";

type Asked = "rename" | "place" | "move" | "revoke";

export function Actions({ agent }: { agent: Agent }) {
  const self = useSelf();
  const [asked, setAsked] = useState<Asked>();
  const close = () => setAsked(undefined);
  const rotate = useEdgeCall(agent, "rotate", () =>
    say(`${agent.displayName} is asked to replace its credential with its next heartbeat.`),
  );
  if (agent.status === Status.REVOKED || !self.may(Role.OPERATOR)) return null;
  const isAdmin = self.may(Role.ADMIN);
  return (
    <>
      <Menu trigger={<Button icon="more">Actions</Button>}>
        <MenuItem onClick={() => setAsked("rename")}>Rename…</MenuItem>
        <MenuItem onClick={() => setAsked("place")}>Place in a cluster…</MenuItem>
        {isAdmin && <MenuItem onClick={() => setAsked("move")}>Move to another zone…</MenuItem>}
        <MenuItem
          disabled={agent.status !== Status.ACTIVE || agent.rotationRequested}
          onClick={() => rotate.mutate(undefined, { onError: sayFailure })}
        >
          {agent.rotationRequested ? "Rotation was asked for" : "Rotate its credential"}
        </MenuItem>
        {isAdmin && <MenuLine />}
        {isAdmin && (
          <MenuItem tone="bad" onClick={() => setAsked("revoke")}>
            Revoke…
          </MenuItem>
        )}
      </Menu>
      <Rename edge={agent} open={asked === "rename"} onClose={close} />
      {asked === "place" && <Place agent={agent} onClose={close} />}
      {asked === "move" && <Move agent={agent} onClose={close} />}
      <Revoke edge={agent} open={asked === "revoke"} onClose={close} />
    </>
  );
}

function Place({ agent, onClose }: { agent: Agent; onClose: () => void }) {
  const { clusters } = useClusters();
  const [clusterId, setClusterId] = useState(agent.clusterId);
  const { agentId } = agent;
  const place = useMutation(AgentService.method.updateAgent, {
    onSuccess: () => queryClient.invalidateQueries(),
  });
  const save = async () => {
    await place.mutateAsync({ agentId, clusterId });
    say("The host is placed.", {
      label: "Undo",
      run: () => place.mutateAsync({ agentId, clusterId: agent.clusterId }),
    });
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title="Place the host in a cluster"
      submit="Place"
      pending={place.isPending}
      error={place.error}
      ready={clusterId !== agent.clusterId}
      onSubmit={() => void save().catch(() => {})}
    >
      <SelectField
        label="Cluster"
        value={clusterId}
        options={[
          { value: "", label: "In no cluster" },
          ...clusters.map(({ nodeId, displayName }) => ({ value: nodeId, label: displayName })),
        ]}
        onChange={setClusterId}
      />
    </FormDialog>
  );
}

function Move({ agent, onClose }: { agent: Agent; onClose: () => void }) {
  const { zones } = useZones();
  const [zoneId, setZoneId] = useState(agent.zoneId);
  const { agentId } = agent;
  const move = useMutation(AgentService.method.moveAgent, {
    onSuccess: () => queryClient.invalidateQueries(),
  });
  const save = async () => {
    await move.mutateAsync({ agentId, zoneId });
    say("The host is in another zone now.", {
      label: "Undo",
      run: () => move.mutateAsync({ agentId, zoneId: agent.zoneId }),
    });
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title="Move the host to another zone"
      submit="Move"
      pending={move.isPending}
      error={move.error}
      ready={zoneId !== agent.zoneId}
      onSubmit={() => void save().catch(() => {})}
    >
      <p className="soft">
        From then on the collectors of that zone may relay for it, and no others.
      </p>
      <SelectField
        label="Zone"
        value={zoneId}
        options={zones.map((zone) => ({ value: zone.zoneId, label: zone.displayName }))}
        onChange={setZoneId}
      />
    </FormDialog>
  );
}
