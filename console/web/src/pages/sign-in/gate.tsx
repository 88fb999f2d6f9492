import { type ReactNode, useEffect } from "react";
import { Mark } from "../../frame/brand.tsx";
import { Notice } from "../../ui/notice.tsx";

/** What stands before the pages: a card with one thing to do. */
export function Gate(props: { title: string; lead?: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${props.title} · Lumetry`;
  }, [props.title]);
  return (
    <main className="gate">
      <div className="gate-card">
        <span className="brand">
          <Mark /> Lumetry
        </span>
        <div>
          <h1>{props.title}</h1>
          {props.lead && <p className="soft">{props.lead}</p>}
        </div>
        {!isSecureContext && (
          <Notice tone="warn">
            This page came over plain HTTP, and browsers keep no session there. Open it with
            https:// in front.
          </Notice>
        )}
        {props.children}
      </div>
    </main>
  );
}
