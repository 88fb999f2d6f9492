import { Dialog } from "../ui/dialog.tsx";

const KEYS: [keys: string[], what: string][] = [
  [["Ctrl K", "⌘ K"], "Go to a page, a collector or a metric"],
  [["/"], "Search in this page"],
  [["↑", "↓"], "Go from row to row (or j and k)"],
  [["Enter"], "Open the row"],
  [["Esc"], "Close, or clear the search"],
  [["?"], "This list"],
];

export function KeysHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Keyboard">
      <dl className="facts">
        {KEYS.map(([keys, what]) => [
          <dt key={what}>
            {keys.map((key) => (
              <kbd key={key} className="key">
                {key}
              </kbd>
            ))}
          </dt>,
          <dd key={`${what}:`}>{what}</dd>,
        ])}
      </dl>
    </Dialog>
  );
}
