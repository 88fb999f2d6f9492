import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { useParams } from "wouter";
import { SourceService } from "../../../../../gen/lumetry/v1/source_service_pb.js";
import { useZones } from "../../client/zones.ts";
import { Nowhere } from "../../frame/nowhere.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { SourceForm } from "./source-form.tsx";

/** A new source, or one to change: "/sources/new", "/sources/:id/edit". */
export default function SourceFormPage() {
  const { id: sourceId = "" } = useParams<{ id?: string }>();
  const isNew = sourceId === "";
  const { zones } = useZones();
  const { data, error, refetch } = useQuery(
    SourceService.method.getSource,
    { sourceId },
    { enabled: !isNew },
  );
  const source = data?.source;
  if (error instanceof ConnectError && error.code === Code.NotFound) return <Nowhere />;
  if (error) return <Failure error={error} onRetry={() => refetch()} />;
  if (zones.length === 0 || (!isNew && !source)) return null;
  return (
    <Page
      title={source ? `Edit ${source.displayName}` : "Add a source"}
      name={source ? `Edit ${source.displayName}` : "Add a source"}
      parent={
        source
          ? { title: source.displayName, path: `/sources/${sourceId}` }
          : { title: "Sources", path: "/sources" }
      }
    >
      <SourceForm source={source} />
    </Page>
  );
}
