import { Link } from "wouter";
import { Role } from "../../../../../gen/lumetry/access/v1/access_pb.js";
import type { Rule } from "../../../../../gen/lumetry/v1/rule_pb.js";
import { RuleService } from "../../../../../gen/lumetry/v1/rule_service_pb.js";
import { RuleTag } from "../../alerting/rule-tag.tsx";
import { conditionText } from "../../alerting/rule-words.ts";
import { SeverityTag } from "../../alerting/severity.tsx";
import { usePages } from "../../client/pages.ts";
import { useSelf } from "../../client/session.tsx";
import { useAddressed } from "../../ui/addressed.tsx";
import { Age } from "../../ui/age.tsx";
import { Button } from "../../ui/button.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Empty, Failure } from "../../ui/notice.tsx";
import { Page } from "../../ui/page.tsx";
import { ListSearch, useListSearch } from "../../ui/search.tsx";
import { Table } from "../../ui/table.tsx";

export default function Rules() {
  const self = useSelf();
  const { set } = useAddressed();
  const search = useListSearch();
  const list = usePages(RuleService.method.listRules, { search });
  const rules = list.pages.flatMap((page) => page.rules);
  const add = self.may(Role.OPERATOR) && (
    <Link className="button" data-kind="main" href="/rules/new">
      <Icon name="plus" size={14} />
      Add a rule
    </Link>
  );
  return (
    <Page
      title="Rules"
      name="Rules"
      lead="A rule judges what is measured as it comes, and makes an alert when something is wrong for long enough."
      actions={add}
    >
      <div className="toolbar">
        <ListSearch />
      </div>
      {list.error && <Failure error={list.error} onRetry={() => list.refetch()} />}
      <Table<Rule>
        label="Rules"
        rows={rules}
        rowKey={({ ruleId }) => ruleId}
        href={({ ruleId }) => `/rules/${ruleId}`}
        hasMore={list.hasNextPage}
        onMore={list.more}
        columns={[
          {
            title: "Name",
            width: "22%",
            cell: ({ ruleId, settings }) => (
              <Link className="cut foreign" href={`/rules/${ruleId}`} tabIndex={-1}>
                {settings?.displayName}
              </Link>
            ),
          },
          { title: "State", width: "15%", cell: (rule) => <RuleTag rule={rule} /> },
          {
            title: "Severity",
            width: "11%",
            rank: 1,
            cell: ({ settings }) =>
              settings && <SeverityTag severity={settings.severity} isOver={settings.disabled} />,
          },
          {
            title: "Wrong when",
            cell: ({ settings }) => (
              <span className="cut foreign">{settings && conditionText(settings)}</span>
            ),
          },
          {
            title: "Changed",
            rank: 2,
            width: "13%",
            cell: ({ updateTime }) => <Age time={updateTime} />,
          },
        ]}
        empty={
          list.isPending ? undefined : search !== "" ? (
            <Empty
              title="No rule matches"
              actions={<Button onClick={() => set({ search: "" }, true)}>Show all</Button>}
            />
          ) : (
            <Empty title="No rules yet" actions={add}>
              <p>
                Say what is looked at and when it is wrong, and see in a chart how often that would
                have been so. The server tells by itself when collectors, agents or sources are
                amiss.
              </p>
            </Empty>
          )
        }
      />
    </Page>
  );
}
