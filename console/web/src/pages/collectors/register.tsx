import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import {
  CollectorService,
  type CreateCollectorResponse,
} from "../../../../../gen/lumetry/v1/collector_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { useZones } from "../../client/zones.ts";
import { Dialog, FormDialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { Enrolling } from "./enrolling.tsx";

const HOUR_MS = 3_600_000;
const LIFETIMES = [
  { value: HOUR_MS / 4, label: "15 minutes" },
  { value: HOUR_MS, label: "1 hour" },
  { value: 24 * HOUR_MS, label: "1 day" },
  { value: 168 * HOUR_MS, label: "7 days" },
];

/** Registers a collector, shows its token this once, and watches until it has come. */
export function Register({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { zones } = useZones();
  const [displayName, setDisplayName] = useState("");
  const [zone, setZone] = useState("");
  const [lifetime, setLifetime] = useState(HOUR_MS);
  const [created, setCreated] = useState<CreateCollectorResponse>();
  const create = useMutation(CollectorService.method.createCollector, {
    onSuccess: (response) => {
      setCreated(response);
      queryClient.invalidateQueries();
    },
  });
  const close = () => {
    setCreated(undefined);
    setDisplayName("");
    create.reset();
    onClose();
  };
  const zoneId = zone || zones[0]?.zoneId || "";

  if (created?.collector && created.enrollmentToken) {
    return (
      <Dialog open={open} onClose={close} firm wide title="Start the collector on its host">
        <Enrolling collectorId={created.collector.collectorId} minted={created} onDone={close} />
      </Dialog>
    );
  }
  return (
    <FormDialog
      open={open}
      onClose={close}
      title="Register a collector"
      submit="Register"
      pending={create.isPending}
      error={create.error}
      ready={displayName.trim() !== "" && zoneId !== ""}
      onSubmit={() =>
        create.mutate({ displayName, zoneId, tokenLifetime: durationFromMs(lifetime) })
      }
    >
      <TextField
        label="Name"
        hint="Often the name of its host; it can be changed"
        maxLength={128}
        autoFocus
        value={displayName}
        onChange={(event) => setDisplayName(event.target.value)}
      />
      <SelectField
        label="Zone"
        hint="The network that the host is in"
        value={zoneId}
        options={zones.map((each) => ({ value: each.zoneId, label: each.displayName }))}
        onChange={setZone}
      />
      <SelectField
        label="Its token works once, within"
        value={lifetime}
        options={LIFETIMES}
        onChange={setLifetime}
      />
    </FormDialog>
  );
}
