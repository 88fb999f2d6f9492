import { type ComponentType, createElement, lazy, type ReactNode, Suspense, useState } from "react";

/** A component that comes in a file of its own, when it is first shown or `load` asks for it. */
export function late<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): {
  load: () => Promise<unknown>;
  Component: ComponentType<Props>;
} {
  let loaded: ComponentType<Props> | undefined;
  const keep = async () => {
    loaded = await load();
    return { default: loaded };
  };
  const Late = lazy(keep) as unknown as ComponentType<Props>;
  // What is there is shown at once: what was waited for is kept back by React for a while.
  const Component = (props: Props) => {
    const [Shown] = useState(() => loaded ?? Late);
    return createElement(Shown, props);
  };
  return { load: keep, Component };
}

/** What is not made before it is first opened, and stays from then on. */
export function Opened({ open, children }: { open: boolean; children: ReactNode }) {
  const [wasOpen, setWasOpen] = useState(open);
  if (open && !wasOpen) setWasOpen(true);
  return wasOpen ? <Suspense fallback={null}>{children}</Suspense> : null;
}
