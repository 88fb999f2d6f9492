import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import type { Collector } from "../../../../../gen/lumetry/v1/collector_pb.js";
import { CollectorService } from "../../../../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../../../../gen/lumetry/v1/edge_pb.js";
import { queryClient } from "../../client/live.ts";
import { useSelf } from "../../client/session.tsx";
import { useEdgeCall } from "../../edges/calls.ts";
import { Rename } from "../../edges/rename.tsx";
import { Revoke } from "../../edges/revoke.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Menu, MenuItem, MenuLine } from "../../ui/menu.tsx";
import { say, sayFailure } from "../../ui/toast.tsx";
import { Enrolling, type Minted } from "../collectors/enrolling.tsx";
import { Capabilities } from "./capabilities.tsx";

type Asked = "rename" | "capabilities" | "revoke";

/** What can be done with a collector, by those who may. */
export function Actions({ collector }: { collector: Collector }) {
  const self = useSelf();
  const { collectorId, displayName, status } = collector;
  const [asked, setAsked] = useState<Asked>();
  const [minted, setMinted] = useState<Minted>();
  const close = () => setAsked(undefined);
  const refresh = () => queryClient.invalidateQueries();
  const replaceToken = useMutation(CollectorService.method.replaceEnrollmentToken, {
    onSuccess: (response) => {
      setMinted(response);
      refresh();
    },
    onError: sayFailure,
  });
  const rotate = useEdgeCall(collector, "rotate", () =>
    say(`${displayName} is asked to replace its credential with its next heartbeat.`),
  );

  if (status === Status.REVOKED || !self.may(Role.OPERATOR)) return null;
  const isAdmin = self.may(Role.ADMIN);
  return (
    <>
      {status === Status.PENDING && isAdmin && (
        <Button
          kind="main"
          busy={replaceToken.isPending}
          onClick={() => replaceToken.mutate({ collectorId })}
        >
          Replace its token
        </Button>
      )}
      <Menu trigger={<Button icon="more">Actions</Button>}>
        {isAdmin && <MenuItem onClick={() => setAsked("rename")}>Rename…</MenuItem>}
        {isAdmin && (
          <MenuItem onClick={() => setAsked("capabilities")}>Grant capabilities…</MenuItem>
        )}
        <MenuItem
          disabled={status !== Status.ACTIVE || collector.rotationRequested}
          onClick={() => rotate.mutate(undefined, { onError: sayFailure })}
        >
          {collector.rotationRequested ? "Rotation was asked for" : "Rotate its credential"}
        </MenuItem>
        {isAdmin && <MenuLine />}
        {isAdmin && (
          <MenuItem tone="bad" onClick={() => setAsked("revoke")}>
            Revoke…
          </MenuItem>
        )}
      </Menu>
      <Rename edge={collector} open={asked === "rename"} onClose={close} />
      <Capabilities collector={collector} open={asked === "capabilities"} onClose={close} />
      <Revoke edge={collector} open={asked === "revoke"} onClose={close} />
      <Dialog
        open={minted !== undefined}
        onClose={() => setMinted(undefined)}
        firm
        wide
        title="Start the collector on its host"
      >
        {minted && (
          <Enrolling
            collectorId={collectorId}
            minted={minted}
            onDone={() => setMinted(undefined)}
          />
        )}
      </Dialog>
    </>
  );
}
