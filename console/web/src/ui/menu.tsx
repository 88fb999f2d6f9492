import { Menu as Base } from "@base-ui/react/menu";
import type { ReactElement, ReactNode } from "react";

/** What can be done with something. */
export function Menu({ trigger, children }: { trigger: ReactElement; children: ReactNode }) {
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner className="layer" sideOffset={4} align="end">
          <Base.Popup className="menu fades">{children}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export function MenuItem(props: {
  onClick: () => void;
  tone?: "bad";
  disabled?: boolean;
  children: ReactNode;
}) {
  const { onClick, tone, disabled = false, children } = props;
  return (
    <Base.Item className="menu-item" data-tone={tone} disabled={disabled} onClick={onClick}>
      {children}
    </Base.Item>
  );
}

export const MenuLine = () => <Base.Separator className="menu-line" />;
