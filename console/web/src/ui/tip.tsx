import { Tooltip } from "@base-ui/react/tooltip";
import type { ReactElement, ReactNode } from "react";

/** The one tip that is shown at a time; a list may have hundreds of places that can show it. */
const tip = Tooltip.createHandle<Text>();

/** What is shown, or what makes it once it is. */
type Text = ReactNode | (() => ReactNode);

/** More about something, for whoever points at it or moves the focus to it. */
export function Tip({ text, children }: { text: Text; children: ReactElement }) {
  return <Tooltip.Trigger handle={tip} payload={text} render={children} />;
}

/** To be put around everything that has tips. */
export function Tips({ children }: { children: ReactNode }) {
  return (
    <Tooltip.Provider delay={250} closeDelay={0}>
      {children}
      <Tooltip.Root handle={tip}>
        {({ payload }) => (
          <Tooltip.Portal>
            <Tooltip.Positioner className="layer" sideOffset={6}>
              <Tooltip.Popup className="tip">
                {typeof payload === "function" ? payload() : payload}
              </Tooltip.Popup>
            </Tooltip.Positioner>
          </Tooltip.Portal>
        )}
      </Tooltip.Root>
    </Tooltip.Provider>
  );
}
