import { Dialog as Base } from "@base-ui/react/dialog";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { Button } from "./button.tsx";
import { Icon } from "./icon.tsx";
import { Failure } from "./notice.tsx";

/** Something that has to be seen to before one goes on. Escape and a click beside it close it. */
export function Dialog(props: {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  /** Holds something that is shown this once: only its buttons close it. */
  firm?: boolean;
  wide?: boolean;
  children: ReactNode;
}) {
  const { open, onClose, title, firm = false, wide = false, children } = props;
  return (
    <Base.Root
      open={open}
      disablePointerDismissal={firm}
      onOpenChange={(next, details) => {
        if (next) return;
        if (firm && (details.reason === "escape-key" || details.reason === "outside-press")) return;
        onClose();
      }}
    >
      <Base.Portal>
        <Base.Backdrop className="backdrop" />
        <Base.Popup className="dialog fades" data-wide={wide || undefined}>
          <div className="dialog-head">
            <Base.Title>{title}</Base.Title>
            {!firm && (
              // Without a tip, which would take the first Escape.
              <button
                type="button"
                className="button icon-button"
                data-kind="quiet"
                aria-label="Close"
                onClick={onClose}
              >
                <Icon name="close" />
              </button>
            )}
          </div>
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** A dialog with one thing to send; it stays open, with what was typed, when that fails. */
export function FormDialog(props: {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  submit: string;
  kind?: "main" | "danger";
  pending: boolean;
  error: unknown;
  ready?: boolean;
  onSubmit: () => void;
  children?: ReactNode;
}) {
  const { open, onClose, title, submit, kind = "main", pending, error, ready = true } = props;
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !pending) props.onSubmit();
  };
  return (
    <Dialog open={open} onClose={onClose} title={title}>
      <form className="form" onSubmit={send}>
        {props.children}
        {error ? <Failure error={error} /> : null}
        <div className="form-end">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind={kind} busy={pending} disabled={!ready}>
            {submit}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Asks before something that cannot be taken back; what is final takes typing its name. */
export function Confirm(props: {
  open: boolean;
  onClose: () => void;
  title: string;
  submit: string;
  /** Typed by whoever means it. */
  word?: string;
  pending: boolean;
  error: unknown;
  onConfirm: () => void;
  children: ReactNode;
}) {
  const { word, onConfirm, children, ...rest } = props;
  const [typed, setTyped] = useState("");
  const id = useId();
  const close = () => {
    setTyped("");
    props.onClose();
  };
  return (
    <FormDialog
      {...rest}
      onClose={close}
      kind="danger"
      ready={word === undefined || typed.trim() === word}
      onSubmit={onConfirm}
    >
      <div className="form">{children}</div>
      {word !== undefined && (
        <div className="field">
          <label htmlFor={id}>
            Type <code className="foreign">{word}</code> to confirm
          </label>
          <input
            id={id}
            className="input"
            value={typed}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setTyped(event.target.value)}
          />
        </div>
      )}
    </FormDialog>
  );
}
