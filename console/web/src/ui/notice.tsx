import type { ReactNode } from "react";
import { explain } from "../client/errors.ts";
import { Button } from "./button.tsx";
import { Icon, type IconName } from "./icon.tsx";

export type Tone = "good" | "warn" | "bad" | "plain";

const ICONS: Record<Tone, IconName> = {
  good: "check",
  warn: "warning",
  bad: "warning",
  plain: "info",
};

export function Notice(props: { tone?: Tone; children: ReactNode; actions?: ReactNode }) {
  const { tone = "plain", children, actions } = props;
  return (
    <div className="notice" data-tone={tone} role={tone === "bad" ? "alert" : undefined}>
      <span className={tone}>
        <Icon name={ICONS[tone]} />
      </span>
      <div>{children}</div>
      {actions}
    </div>
  );
}

/** What failed, what to do, and a way to try again. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { message, hint } = explain(error);
  return (
    <Notice
      tone="bad"
      actions={
        onRetry && (
          <Button size="small" onClick={onRetry}>
            Try again
          </Button>
        )
      }
    >
      <p className="strong">{message}</p>
      {hint && <p>{hint}</p>}
    </Notice>
  );
}

/** Where nothing is yet: what would be here, and how it gets here. */
export function Empty(props: { title: string; children?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{props.title}</h2>
      {props.children}
      {props.actions && <div className="actions">{props.actions}</div>}
    </div>
  );
}

export function Tag({ tone = "plain", children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span className="tag" data-tone={tone}>
      {children}
    </span>
  );
}
