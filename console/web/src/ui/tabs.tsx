import { Tabs as Base } from "@base-ui/react/tabs";
import type { ReactNode } from "react";

export interface Tab {
  id: string;
  title: ReactNode;
  body: () => ReactNode;
}

/** Which one is open is kept in the address by whoever uses it. */
export function Tabs(props: { tabs: Tab[]; open: string; onOpen: (id: string) => void }) {
  const { tabs, open, onOpen } = props;
  return (
    <Base.Root value={open} onValueChange={(value) => onOpen(String(value))}>
      <Base.List className="tabs" activateOnFocus={false}>
        {tabs.map(({ id, title }) => (
          <Base.Tab key={id} value={id} className="tab">
            {title}
          </Base.Tab>
        ))}
      </Base.List>
      {tabs.map(({ id, body }) => (
        <Base.Panel key={id} value={id} className="tab-panel">
          {id === open && body()}
        </Base.Panel>
      ))}
    </Base.Root>
  );
}
