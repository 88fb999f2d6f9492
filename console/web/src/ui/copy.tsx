import { useState } from "react";
import { Button } from "./button.tsx";

const SHOWN_MS = 2_000;

/** Copies a text, and says that it did. */
export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      setState("failed");
    }
    setTimeout(() => setState("idle"), SHOWN_MS);
  };
  const words = { idle: label, copied: "Copied", failed: "Select and copy it yourself" }[state];
  return (
    <Button size="small" icon={state === "copied" ? "check" : "copy"} onClick={copy}>
      <span aria-live="polite">{words}</span>
    </Button>
  );
}

/** A command, a secret or an address, to be copied whole. */
export function Copyable({ text, label }: { text: string; label: string }) {
  return (
    <div className="copyable">
      <pre>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} label={`Copy${label ? ` ${label}` : ""}`} />
    </div>
  );
}
