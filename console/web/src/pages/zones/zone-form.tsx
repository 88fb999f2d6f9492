import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import { type Zone, ZoneService } from "../../../../../gen/lumetry/v1/zone_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { AreaField, CheckField, TextField } from "../../ui/field.tsx";
import { say } from "../../ui/toast.tsx";

/** A new zone, or one to change. */
export function ZoneForm({ zone, onClose }: { zone: Zone | undefined; onClose: () => void }) {
  const [displayName, setDisplayName] = useState(zone?.displayName ?? "");
  const [networks, setNetworks] = useState(zone?.allowedNetworks.join("\n") ?? "");
  const [allowCleartextRelay, setCleartext] = useState(zone?.allowCleartextRelay ?? true);
  const refresh = () => queryClient.invalidateQueries();
  const create = useMutation(ZoneService.method.createZone, { onSuccess: refresh });
  const update = useMutation(ZoneService.method.updateZone, { onSuccess: refresh });
  const allowedNetworks = networks.split(/[\s,]+/).filter(Boolean);

  const save = async () => {
    if (!zone) {
      await create.mutateAsync({ displayName, allowedNetworks, allowCleartextRelay });
      say(`${displayName} is added.`);
      return onClose();
    }
    const { zoneId } = zone;
    await update.mutateAsync({
      zoneId,
      displayName,
      allowedNetworks: { prefixes: allowedNetworks },
      allowCleartextRelay,
    });
    say(`${displayName} is changed.`, {
      label: "Undo",
      run: () =>
        update.mutateAsync({
          zoneId,
          displayName: zone.displayName,
          allowedNetworks: { prefixes: zone.allowedNetworks },
          allowCleartextRelay: zone.allowCleartextRelay,
        }),
    });
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={zone ? "Edit the zone" : "Add a zone"}
      submit={zone ? "Save" : "Add"}
      pending={create.isPending || update.isPending}
      error={create.error ?? update.error}
      ready={displayName.trim() !== ""}
      onSubmit={() => void save().catch(() => {})}
    >
      <TextField
        label="Name"
        maxLength={128}
        autoFocus
        value={displayName}
        onChange={(event) => setDisplayName(event.target.value)}
      />
      <AreaField
        label="Allowed networks"
        hint="Where work inside the zone may connect: prefixes such as 10.20.0.0/16, one a line. Empty means every private network."
        rows={4}
        placeholder="10.0.0.0/8"
        value={networks}
        onChange={(event) => setNetworks(event.target.value)}
      />
      <CheckField
        label="Agents may come to its collectors without TLS"
        checked={allowCleartextRelay}
        onChange={setCleartext}
      />
    </FormDialog>
  );
}
