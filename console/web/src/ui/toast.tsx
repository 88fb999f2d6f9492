import { Toast } from "@base-ui/react/toast";
import type { ReactNode } from "react";
import { explainShortly } from "../client/errors.ts";
import { IconButton } from "./button.tsx";

const manager = Toast.createToastManager();
const SHOWN_MS = 8_000;

/** Says that something was done, and offers to undo it where that can be. */
export function say(text: string, undo?: { label: string; run: () => Promise<unknown> }): void {
  const id = manager.add({
    description: text,
    timeout: SHOWN_MS,
    ...(undo && {
      actionProps: {
        children: undo.label,
        onClick: () => {
          manager.close(id);
          undo.run().catch(sayFailure);
        },
      },
    }),
  });
}

export function sayFailure(error: unknown): void {
  manager.add({ description: explainShortly(error), type: "bad", timeout: 0, priority: "high" });
}

export function Toasts({ children }: { children: ReactNode }) {
  return (
    <Toast.Provider toastManager={manager} limit={3}>
      {children}
      <Toast.Portal>
        <Toast.Viewport className="toasts">
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className="toast fades">
      <Toast.Description />
      <span className="actions">
        {toast.actionProps && (
          <Toast.Action className="button" data-size="small">
            {toast.actionProps.children}
          </Toast.Action>
        )}
        <Toast.Close render={<IconButton icon="close" label="Dismiss" />} />
      </span>
    </Toast.Root>
  ));
}
