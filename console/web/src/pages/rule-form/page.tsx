import { Code, ConnectError } from "@connectrpc/connect";
import { useQuery } from "@connectrpc/connect-query";
import { useParams } from "wouter";
import { RuleService } from "../../../../../gen/lumetry/v1/rule_service_pb.js";
import { Nowhere } from "../../frame/nowhere.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { RuleForm } from "./rule-form.tsx";

/** A new rule, or one to change: "/rules/new", "/rules/:id/edit". */
export default function RuleFormPage() {
  const { id: ruleId = "" } = useParams<{ id?: string }>();
  const { data, error, refetch } = useQuery(
    RuleService.method.getRule,
    { ruleId },
    { enabled: ruleId !== "" },
  );
  const rule = data?.rule;
  if (error instanceof ConnectError && error.code === Code.NotFound) return <Nowhere />;
  if (error) return <Failure error={error} onRetry={() => refetch()} />;
  if (ruleId !== "" && !rule) return null;
  const title = rule ? `Edit ${rule.settings?.displayName}` : "Add a rule";
  return (
    <Page
      title={title}
      name={title}
      parent={
        rule
          ? { title: rule.settings?.displayName ?? "", path: `/rules/${ruleId}` }
          : { title: "Rules", path: "/rules" }
      }
    >
      <RuleForm rule={rule} />
    </Page>
  );
}
