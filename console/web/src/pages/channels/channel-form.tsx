import { useMutation } from "@connectrpc/connect-query";
import { useState } from "react";
import {
  type Channel,
  ChannelService,
  type CreateChannelResponse,
  Channel_Kind as Kind,
} from "../../../../../gen/lumetry/v1/channel_service_pb.js";
import { queryClient } from "../../client/live.ts";
import { useZones } from "../../client/zones.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { AreaField, CheckField, SelectField, TextField } from "../../ui/field.tsx";
import { PairsField } from "../../ui/pairs.tsx";
import { say } from "../../ui/toast.tsx";
import { KINDS } from "./kinds.ts";

const KIND_OPTIONS = Object.entries(KINDS).map(([kind, { title }]) => ({
  value: Number(kind) as Kind,
  label: title,
}));

/** A new channel, or one to change. What is secret can be replaced, never read. */
export function ChannelForm(props: {
  channel?: Channel;
  onClose: () => void;
  onCreated?: (response: CreateChannelResponse) => void;
}) {
  const { channel, onClose, onCreated } = props;
  const { zones } = useZones();
  const [kind, setKind] = useState<Kind>(channel?.kind || Kind.WEBHOOK);
  const [recipients, setRecipients] = useState(channel?.recipients.join("\n") ?? "");
  const [displayName, setDisplayName] = useState(channel?.displayName ?? "");
  // Of a kind whose path is a secret, it is not told again: it is kept unless another is given.
  const hasSecretPath = kind === Kind.SLACK;
  const isMail = kind === Kind.EMAIL;
  const [url, setUrl] = useState(hasSecretPath ? "" : (channel?.url ?? ""));
  const [zoneId, setZoneId] = useState(channel?.zoneId ?? "");
  const [caPem, setCaPem] = useState(channel?.caPem ?? "");
  const [secret, setSecret] = useState("");
  const [headers, setHeaders] = useState<Record<string, string>>({});
  const kept = channel?.headerNames ?? [];
  const [replaces, setReplaces] = useState(kept.length === 0);
  const create = useMutation(ChannelService.method.createChannel);
  const update = useMutation(ChannelService.method.updateChannel);
  const save = async () => {
    const addresses = recipients.split(/[\s,;]+/).filter(Boolean);
    if (!channel) {
      const response = await create.mutateAsync(
        isMail
          ? { kind, displayName, recipients: addresses }
          : { kind, displayName, url, zoneId, caPem, headers, secret: secret.trim() },
      );
      queryClient.invalidateQueries();
      onCreated?.(response);
      return;
    }
    const { channelId } = channel;
    await update.mutateAsync(
      isMail
        ? { channelId, displayName, recipients: { addresses } }
        : {
            channelId,
            displayName,
            zoneId,
            caPem,
            ...(url !== "" && { url }),
            ...(replaces &&
              (kept.length > 0 || Object.keys(headers).length > 0) && { headers: { headers } }),
          },
    );
    queryClient.invalidateQueries();
    say(`${displayName} is changed.`);
    onClose();
  };
  return (
    <FormDialog
      open
      onClose={onClose}
      title={channel ? "Edit the channel" : "Add a channel"}
      submit={channel ? "Save" : "Add"}
      pending={create.isPending || update.isPending}
      error={create.error ?? update.error}
      ready={
        displayName.trim() !== "" &&
        ((isMail ? recipients : url).trim() !== "" || (channel !== undefined && hasSecretPath))
      }
      onSubmit={() => void save().catch(() => {})}
    >
      {!channel && (
        <SelectField<Kind>
          label="Kind"
          hint={KINDS[kind]?.about}
          value={kind}
          options={KIND_OPTIONS}
          onChange={setKind}
        />
      )}
      <TextField
        label="Name"
        maxLength={128}
        autoFocus
        autoComplete="off"
        value={displayName}
        onChange={({ target }) => setDisplayName(target.value)}
      />
      {isMail ? (
        <AreaField
          label="Recipients"
          hint="Addresses, one a line"
          value={recipients}
          onChange={({ target }) => setRecipients(target.value)}
        />
      ) : (
        <>
          <TextField
            label="Address"
            hint={
              channel && hasSecretPath
                ? `The one at ${channel.url} is kept unless another is given`
                : "Messages are sent to it with POST, signed as Standard Webhooks have it"
            }
            placeholder="https://hooks.example.com/lumetry"
            spellCheck={false}
            maxLength={2048}
            value={url}
            onChange={({ target }) => setUrl(target.value)}
          />
          <SelectField
            label="Sent by"
            hint="Collectors reach receivers that are in their network only"
            value={zoneId}
            options={[
              { value: "", label: "This server" },
              ...zones.map((zone) => ({
                value: zone.zoneId,
                label: `The collectors of ${zone.displayName}`,
              })),
            ]}
            onChange={setZoneId}
          />
          {kept.length > 0 && (
            <CheckField
              label={
                <span>
                  Replace the secret headers (<span className="foreign">{kept.join(", ")}</span>)
                </span>
              }
              checked={replaces}
              onChange={setReplaces}
            />
          )}
          {replaces && (
            <PairsField
              label="Secret headers"
              hint={
                kept.length > 0
                  ? "These take the place of all that are kept now; none removes them."
                  : "Sent besides, such as for the receiver's own authentication. Nobody reads them again."
              }
              name="Header"
              value="Value"
              isSecret
              pairs={headers}
              onChange={setHeaders}
            />
          )}
          <details className="more-settings">
            <summary>More settings</summary>
            <div className="form">
              {!channel && (
                <TextField
                  label="Secret"
                  hint="whsec_ and base64 of 24 to 64 bytes; made by the server unless given"
                  type="password"
                  autoComplete="new-password"
                  value={secret}
                  onChange={({ target }) => setSecret(target.value)}
                />
              )}
              <AreaField
                label="Authority of the receiver's certificate"
                hint="PEM, besides the usual ones"
                placeholder="-----BEGIN CERTIFICATE-----"
                value={caPem}
                onChange={({ target }) => setCaPem(target.value)}
              />
            </div>
          </details>
        </>
      )}
    </FormDialog>
  );
}
