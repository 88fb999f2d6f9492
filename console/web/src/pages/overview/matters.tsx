import { Link } from "wouter";
import type { Agent } from "../../../../../gen/lumetry/v1/agent_pb.js";
import type { Collector } from "../../../../../gen/lumetry/v1/collector_pb.js";
import {
  type EdgeSummary,
  Attention_Kind as Kind,
  Attention_KindSchema as KindSchema,
} from "../../../../../gen/lumetry/v1/edge_pb.js";
import { type Edge, idOf, LastSeen, nounOf } from "../../edges/words.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Empty } from "../../ui/notice.tsx";
import { Section } from "../../ui/page.tsx";
import { countText, enumWord } from "../../words/counts.ts";

const URGENT = [Kind.DUPLICATE_SUSPECTED, Kind.MISSED_HEARTBEATS, Kind.QUEUE_UNWRITABLE];

const pathOf = (edge: Edge) => `/${nounOf(edge)}s/${idOf(edge)}`;

/** What is not as it should be, matter by matter. */
export function Matters(props: {
  collectors: Collector[] | undefined;
  agents: Agent[] | undefined;
  /** Where all of them are listed, and how many that is. */
  more: { path: string; total: bigint }[];
  hasAny: boolean;
}) {
  const { collectors, agents, more, hasAny } = props;
  if (!collectors || !agents) return <div className="card empty" />;
  const edges: Edge[] = [...collectors, ...agents];
  if (edges.length === 0) {
    return (
      <div className="card">
        {hasAny ? (
          <Empty title="Nothing">
            <p>
              Everything is heard of, keeps up, and runs the configuration that was published for
              it.
            </p>
          </Empty>
        ) : (
          <Empty
            title="Nothing is enrolled yet"
            actions={
              <Link className="button" data-kind="main" href="/collectors">
                Go to the collectors
              </Link>
            }
          >
            <p>
              A collector measures its host and brings the points here over outbound HTTPS. Programs
              can write points too, with an ingestion key.
            </p>
          </Empty>
        )}
      </div>
    );
  }
  const isCut = more.reduce((sum, { total }) => sum + total, 0n) > BigInt(edges.length);
  return (
    <ul className="card matters">
      {edges.flatMap((edge) =>
        edge.attention.map(({ kind, message }, index) => (
          <li key={`${idOf(edge)} ${kind}`}>
            <span className={URGENT.includes(kind) ? "bad" : "warn"}>
              <Icon name="warning" size={14} />
            </span>
            <span>
              <Link className="strong foreign" href={pathOf(edge)}>
                {edge.displayName}
              </Link>
              <span className="soft foreign"> {message}</span>
            </span>
            <span className="soft nowrap">{index === 0 && <LastSeen edge={edge} />}</span>
          </li>
        )),
      )}
      {isCut &&
        more.map(({ path, total }) => (
          <li key={path}>
            <span />
            <Link href={`${path}?show=attention`}>
              All {countText(total)} {path.slice(1)} that need attention
            </Link>
          </li>
        ))}
    </ul>
  );
}

/** How many each matter concerns. */
export function ByMatter({ collectors, agents }: { collectors: EdgeSummary; agents: EdgeSummary }) {
  const counts = [
    ...collectors.attention.map((each) => ({ ...each, noun: "collectors" })),
    ...agents.attention.map((each) => ({ ...each, noun: "agents" })),
  ];
  if (counts.length === 0) return null;
  return (
    <Section title="By matter">
      <ul className="card matters">
        {counts.map(({ kind, edges, noun }) => (
          <li key={`${noun} ${kind}`}>
            <span className={URGENT.includes(kind) ? "bad" : "warn"}>
              <Icon name="warning" size={14} />
            </span>
            <Link href={`/${noun}?matter=${kind}`}>{enumWord(KindSchema, kind)}</Link>
            <span className="soft">
              {countText(edges)} {edges === 1n ? noun.slice(0, -1) : noun}
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
