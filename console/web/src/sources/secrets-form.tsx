import type { MessageInitShape } from "@bufbuild/protobuf";
import { useState } from "react";
import type { SourceSecretsSchema } from "../../../../gen/lumetry/source/v1/settings_pb.js";
import type { Source_SecretSummary } from "../../../../gen/lumetry/v1/source_service_pb.js";
import { Age } from "../ui/age.tsx";
import { Segments } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";
import { PairsField } from "../ui/pairs.tsx";
import type { KindName } from "../words/sources.ts";
import { SECRETS } from "./fields.ts";

/** Undefined leaves them as they are; an empty one removes them. */
export type Secrets = MessageInitShape<typeof SourceSecretsSchema> | undefined;

/** "bearer token, headers x-api-key". */
export const secretsText = (kept: Source_SecretSummary): string =>
  [
    kept.bearerToken && "bearer token",
    kept.password && "password",
    kept.headerNames.length > 0 && `headers ${kept.headerNames.join(", ")}`,
  ]
    .filter(Boolean)
    .join(", ");

type Way = "keep" | "replace" | "remove";

/** What a source is read with. Nobody reads it again: it can be kept, replaced or removed. */
export function SecretsForm(props: {
  kind: KindName;
  kept: Source_SecretSummary | undefined;
  secrets: Secrets;
  onChange: (secrets: Secrets) => void;
}) {
  const { kind, kept, secrets, onChange } = props;
  const can = SECRETS[kind];
  const [way, setWay] = useState<Way>(kept ? "keep" : "replace");
  const set = (part: NonNullable<Secrets>) => {
    const next = { ...secrets, ...part };
    const isEmpty =
      !next.bearerToken && !next.password && Object.keys(next.headers ?? {}).length === 0;
    onChange(isEmpty && !kept ? undefined : next);
  };
  if (!can.bearer && !can.password && !kept) return null;
  return (
    <fieldset className="form plain-set card padded">
      <legend className="unseen">Secrets</legend>
      <h2>Secrets</h2>
      <p className="soft">
        Sealed by the server and sent to this host and port only, over no redirect. Nobody can read
        them again.
      </p>
      {kept && (
        <>
          <p>
            Kept now: <span className="foreign">{secretsText(kept)}</span>, for{" "}
            <code className="foreign">{kept.boundTo}</code> only, since <Age time={kept.setTime} />.
          </p>
          <Segments<Way>
            label="What becomes of the secrets"
            value={way}
            options={[
              { value: "keep", label: "Keep" },
              { value: "replace", label: "Replace" },
              { value: "remove", label: "Remove" },
            ]}
            onChange={(next) => {
              setWay(next);
              onChange(next === "keep" ? undefined : {});
            }}
          />
        </>
      )}
      {way === "replace" && (
        <>
          {can.bearer && (
            <TextField
              label="Bearer token"
              type="password"
              autoComplete="new-password"
              maxLength={8192}
              value={secrets?.bearerToken ?? ""}
              onChange={({ target }) => set({ bearerToken: target.value })}
            />
          )}
          {can.password && (
            <TextField
              label="Password"
              hint="Goes with the user name"
              type="password"
              autoComplete="new-password"
              maxLength={1024}
              value={secrets?.password ?? ""}
              onChange={({ target }) => set({ password: target.value })}
            />
          )}
          {can.headers && (
            <PairsField
              label="Secret headers"
              name="Header"
              value="Value"
              isSecret
              pairs={(secrets?.headers ?? {}) as Record<string, string>}
              onChange={(headers) => set({ headers })}
            />
          )}
        </>
      )}
    </fieldset>
  );
}
