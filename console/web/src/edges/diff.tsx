import { compareLines } from "./compare-lines.ts";

const SIGNS = { same: " ", added: "+", removed: "-" };

/** What a document becomes, line by line. */
export function Diff({ before, after }: { before: string; after: string }) {
  const lines = compareLines(before, after);
  if (lines.every(({ side }) => side === "same")) {
    return <p className="soft">There is no difference.</p>;
  }
  return (
    <div className="diff mono">
      {lines.map(({ side, text }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing else to be told apart by
        <div key={index} data-side={side}>
          <span aria-hidden="true">{SIGNS[side]} </span>
          {side !== "same" && <span className="unseen">{side}: </span>}
          {text}
        </div>
      ))}
    </div>
  );
}
