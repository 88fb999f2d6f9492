import { type ReactNode, useEffect } from "react";
import { Link } from "wouter";

/** The top of a page: where one is, and what can be done here. */
export function Page(props: {
  title: ReactNode;
  /** For the browser's tab. */
  name: string;
  parent?: { title: string; path: string };
  beside?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  const { title, name, parent, beside, lead, actions, children } = props;
  useEffect(() => {
    document.title = `${name} · Lumetry`;
  }, [name]);
  return (
    <div className="page">
      <div>
        {parent && (
          <div className="crumb">
            <Link href={parent.path}>{parent.title}</Link> /
          </div>
        )}
        <div className="page-head">
          <div className="page-title">
            <h1 className="foreign">{title}</h1>
            {beside}
          </div>
          {actions && <div className="actions">{actions}</div>}
        </div>
      </div>
      {lead && <p className="page-lead">{lead}</p>}
      {children}
    </div>
  );
}

export function Section(props: { title: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="section">
      <div className="section-head">
        <h2>{props.title}</h2>
        {props.actions && <div className="actions">{props.actions}</div>}
      </div>
      {props.children}
    </section>
  );
}

/** Names and values below one another; what is undefined or empty is left out. */
export function Facts({ entries }: { entries: [name: string, value: ReactNode][] }) {
  return (
    <dl className="facts">
      {entries
        .filter(([, value]) => value !== undefined && value !== "" && value !== false)
        .map(([name, value]) => [
          <dt key={name}>{name}</dt>,
          <dd key={`${name}:`} className="foreign">
            {value}
          </dd>,
        ])}
    </dl>
  );
}
