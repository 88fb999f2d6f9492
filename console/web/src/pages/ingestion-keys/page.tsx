import { createClient } from "@connectrpc/connect";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import {
  type IngestionKey,
  IngestionKeyService,
} from "../../../../../gen/lumetry/v1/ingestion_key_service_pb.js";
import { PACE } from "../../client/live.ts";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { transport } from "../../client/transport.ts";
import { CredentialsPage } from "../../credentials/credentials-page.tsx";
import { Copyable } from "../../ui/copy.tsx";
import { useListSearch } from "../../ui/search.tsx";
import { labelsText } from "../../words/labels.ts";
import { CreateKey } from "./create-key.tsx";

const client = createClient(IngestionKeyService, transport);

const exampleFor = (secret: string) =>
  `curl ${location.origin}/lumetry.ingest.v1.MetricsService/WriteMetrics \\
  -H 'content-type: application/json' -H 'authorization: Bearer ${secret}' \\
  -d '{"batchId": "1", "series": [{"metric": "demo.temperature", "points": [{"time": "${new Date().toISOString()}", "value": 21.5}]}]}'`;

const rowOf = (key: IngestionKey) => ({
  id: key.ingestionKeyId,
  displayName: key.displayName,
  labels: key.labels,
  createTime: key.createTime,
  expireTime: key.expireTime,
  revokeTime: key.revokeTime,
});

export default function IngestionKeys() {
  const self = useSelf();
  const search = useListSearch();
  const list = usePages(
    IngestionKeyService.method.listIngestionKeys,
    { search },
    { pace: PACE.calm },
  );
  return (
    <CredentialsPage
      title="Ingestion keys"
      noun="key"
      lead="With a key, a program writes points and can do nothing else. Its labels are set on all that it writes."
      list={list}
      search={search}
      rows={list.pages.flatMap(({ ingestionKeys }) => ingestionKeys).map(rowOf)}
      middle={{
        title: "Labels",
        rank: 1,
        cell: ({ labels }) => <span className="cut foreign">{labelsText(labels)}</span>,
      }}
      mayChange={self.may(Role.ADMIN)}
      revoke={({ id }) => client.revokeIngestionKey({ ingestionKeyId: id })}
      teaching={
        <>
          Programs, exporters and <code>curl</code> write points with a key of their own, so that
          each can be revoked by itself.
        </>
      }
      form={(close, done) => (
        <CreateKey
          onClose={close}
          onCreated={({ ingestionKey, secret }) =>
            ingestionKey && done({ credential: rowOf(ingestionKey), secret })
          }
        />
      )}
      afterSecret={(secret) => (
        <>
          <p>Try it:</p>
          <Copyable text={exampleFor(secret)} label="" />
        </>
      )}
    />
  );
}
