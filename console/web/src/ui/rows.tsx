import { type KeyboardEvent, type MouseEvent, type RefObject, useRef } from "react";
import { useLocation } from "wouter";

/**
 * Rows that lead somewhere: a click anywhere on one follows its link, arrow keys (or j and k) go from
 * one to the next, Enter opens it. To be spread over the table's scrolling box and each row.
 */
export function useRows(box: RefObject<HTMLElement | null>) {
  const [, navigate] = useLocation();
  const active = useRef(-1);

  const focus = (index: number) => {
    const row = box.current?.querySelector<HTMLElement>(`[data-row="${index}"]`);
    if (!row) return;
    active.current = index;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (target.closest("input, select, textarea, [role=menu]")) return;
    const row = target.closest<HTMLElement>("[data-row]");
    const at = row ? Number(row.dataset.row) : -1;
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (step !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      focus(Math.max(0, at + step));
    } else if (event.key === "Enter" && target === row && row?.dataset.href) {
      navigate(row.dataset.href);
    }
  };

  const onClick = (event: MouseEvent) => {
    const target = event.target as HTMLElement;
    if (target.closest("a, button, input, select, label")) return;
    // Whoever selects text does not mean to go anywhere.
    if (getSelection()?.toString()) return;
    const href = target.closest<HTMLElement>("[data-href]")?.dataset.href;
    if (href) navigate(href);
  };

  return { onKeyDown, onClick };
}

/** Attributes of the row with that number. */
export const rowAt = (index: number, href?: string) => ({
  "data-row": index,
  "data-href": href,
  tabIndex: index === 0 ? 0 : -1,
});
