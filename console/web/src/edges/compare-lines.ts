export interface Line {
  side: "same" | "added" | "removed";
  text: string;
}

/** Above so many lines a side, what differs is shown as a whole: a table of all pairs would be too large. */
const MOST_LINES = 1_500;

/** Both documents in one, by their longest common lines. */
export function compareLines(before: string, after: string): Line[] {
  const old = before.replace(/\s+$/, "").split("\n");
  const now = after.replace(/\s+$/, "").split("\n");
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (
    end < old.length - start &&
    end < now.length - start &&
    old.at(-1 - end) === now.at(-1 - end)
  ) {
    end += 1;
  }
  const same = (text: string): Line => ({ side: "same", text });
  return [
    ...old.slice(0, start).map(same),
    ...compareMiddle(old.slice(start, old.length - end), now.slice(start, now.length - end)),
    ...old.slice(old.length - end).map(same),
  ];
}

function compareMiddle(old: string[], now: string[]): Line[] {
  const removed = (text: string): Line => ({ side: "removed", text });
  const added = (text: string): Line => ({ side: "added", text });
  if (old.length > MOST_LINES || now.length > MOST_LINES) {
    return [...old.map(removed), ...now.map(added)];
  }
  // How many lines the rests from here on have in common.
  const width = now.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) {
      lines.push({ side: "same", text: old[i] ?? "" });
      i += 1;
      j += 1;
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      lines.push(removed(old[i] ?? ""));
      i += 1;
    } else {
      lines.push(added(now[j] ?? ""));
      j += 1;
    }
  }
  return [...lines, ...old.slice(i).map(removed), ...now.slice(j).map(added)];
}
