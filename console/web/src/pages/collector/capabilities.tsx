import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import {
  type Capability,
  CapabilitySchema,
} from "../../../../../gen/lumetry/access/v1/access_pb.js";
import type { Collector } from "../../../../../gen/lumetry/v1/collector_pb.js";
import { CollectorService } from "../../../../../gen/lumetry/v1/collector_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { enumValues, enumWord } from "../../words/counts.ts";

export function Capabilities(props: { collector: Collector; open: boolean; onClose: () => void }) {
  const { collector, open, onClose } = props;
  const [chosen, setChosen] = useState<number[]>();
  const close = () => {
    setChosen(undefined);
    onClose();
  };
  const grant = useMutation(CollectorService.method.updateCollector, {
    onSuccess: () => {
      queryClient.invalidateQueries();
      close();
    },
  });
  const granted = chosen ?? collector.grantedCapabilities;
  const toggle = (capability: number) =>
    setChosen(
      granted.includes(capability)
        ? granted.filter((each) => each !== capability)
        : [...granted, capability],
    );
  return (
    <FormDialog
      open={open}
      onClose={close}
      title="What it may do"
      submit="Save"
      pending={grant.isPending}
      error={grant.error}
      ready={chosen !== undefined}
      onSubmit={() =>
        grant.mutate({
          collectorId: collector.collectorId,
          grantedCapabilities: { capabilities: granted as Capability[] },
        })
      }
    >
      <p className="soft">
        It takes both: what is granted here, and what its process says that it can do.
      </p>
      {enumValues(CapabilitySchema).map((capability) => (
        <label key={capability} className="check">
          <input
            type="checkbox"
            checked={granted.includes(capability as Capability)}
            onChange={() => toggle(capability)}
          />
          {enumWord(CapabilitySchema, capability)}
          {collector.declaredCapabilities.includes(capability as Capability) && (
            <span className="soft">declared by its process</span>
          )}
        </label>
      ))}
    </FormDialog>
  );
}
