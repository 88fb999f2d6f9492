import { Page } from "../../ui/page.tsx";
import { AuditTable } from "./audit-table.tsx";

export default function Audit() {
  return (
    <Page
      title="Audit log"
      name="Audit log"
      lead="Every change, by whom and from where. The database refuses to alter it."
    >
      <AuditTable label="Audit log" />
    </Page>
  );
}
