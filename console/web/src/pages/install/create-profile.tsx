import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation, useQuery } from "@connectrpc/connect-query";
import { useState } from "react";
import { CollectorService } from "../../../../../gen/lumetry/v1/collector_service_pb.js";
import { EdgeStatus as Status } from "../../../../../gen/lumetry/v1/edge_pb.js";
import {
  type CreateEnrollmentProfileResponse,
  EnrollmentProfileService,
} from "../../../../../gen/lumetry/v1/enrollment_profile_service_pb.js";
import { useClusters } from "../../client/clusters.ts";
import { queryClient } from "../../client/live.ts";
import { useZones } from "../../client/zones.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { LIFETIMES } from "../../words/lifetimes.ts";

const MOST_RELAYS = 8;

export function CreateProfile(props: {
  onClose: () => void;
  onCreated: (response: CreateEnrollmentProfileResponse) => void;
}) {
  const { zones } = useZones();
  const { clusters } = useClusters();
  const [displayName, setDisplayName] = useState("");
  const [zone, setZone] = useState("");
  const [clusterId, setClusterId] = useState("");
  const [uses, setUses] = useState("100");
  const [lifetime, setLifetime] = useState(LIFETIMES[0]?.value ?? 0);
  const [relays, setRelays] = useState<string[]>([]);
  const zoneId = zone || zones[0]?.zoneId || "";
  const { data } = useQuery(CollectorService.method.listCollectors, {
    zoneId,
    statuses: [Status.ACTIVE, Status.DUPLICATE_SUSPECTED],
    pageSize: 200,
  });
  const relaying = (data?.collectors ?? []).filter(({ relay }) => relay !== undefined);
  const create = useMutation(EnrollmentProfileService.method.createEnrollmentProfile, {
    onSuccess: (response) => {
      queryClient.invalidateQueries();
      props.onCreated(response);
    },
  });
  const maxUses = /^\d{1,6}$/.test(uses.trim()) ? Number(uses) : 0;
  return (
    <FormDialog
      open
      onClose={props.onClose}
      title="New enrollment profile"
      submit="Create"
      pending={create.isPending}
      error={create.error}
      ready={displayName.trim() !== "" && zoneId !== "" && maxUses > 0}
      onSubmit={() =>
        create.mutate({
          displayName,
          zoneId,
          clusterId,
          maxUses,
          lifetime: durationFromMs(lifetime),
          install: { clusterId, collectorIds: relays },
        })
      }
    >
      <TextField
        label="Name"
        hint="Which hosts it is for"
        maxLength={128}
        autoFocus
        value={displayName}
        onChange={(event) => setDisplayName(event.target.value)}
      />
      <SelectField
        label="Zone"
        hint="Of hosts that come directly; through a collector they are in its zone"
        value={zoneId}
        options={zones.map((each) => ({ value: each.zoneId, label: each.displayName }))}
        onChange={(value) => {
          setZone(value);
          setRelays([]);
        }}
      />
      <SelectField
        label="Cluster"
        value={clusterId}
        options={[
          { value: "", label: "None" },
          ...clusters.map(({ nodeId, displayName: name }) => ({ value: nodeId, label: name })),
        ]}
        onChange={setClusterId}
      />
      {relaying.length > 0 && (
        <fieldset className="field plain-set">
          <legend className="legend">Through collectors first</legend>
          {relaying.map(({ collectorId, displayName: name, relay }) => (
            <label key={collectorId} className="check">
              <input
                type="checkbox"
                checked={relays.includes(collectorId)}
                disabled={!relays.includes(collectorId) && relays.length >= MOST_RELAYS}
                onChange={() =>
                  setRelays(
                    relays.includes(collectorId)
                      ? relays.filter((each) => each !== collectorId)
                      : [...relays, collectorId],
                  )
                }
              />
              <span className="foreign">{name}</span> <span className="soft">{relay?.url}</span>
            </label>
          ))}
        </fieldset>
      )}
      <TextField
        label="Hosts that may enroll"
        inputMode="numeric"
        value={uses}
        mistake={maxUses > 0 && maxUses <= 100_000 ? undefined : "A whole number, up to 100,000"}
        onChange={(event) => setUses(event.target.value)}
      />
      <SelectField label="Ends after" value={lifetime} options={LIFETIMES} onChange={setLifetime} />
    </FormDialog>
  );
}
