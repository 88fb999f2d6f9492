/** How far the server's clock is ahead of the browser's, in milliseconds; a second either way is not known. */
let ahead = 0;

/** Learns from the date of an answer. */
export function learnServerTime(date: string | null): void {
  const told = Date.parse(date ?? "");
  if (Number.isNaN(told)) return;
  const difference = told + 500 - Date.now();
  ahead = Math.abs(difference) < 2_000 ? 0 : difference;
}

/** The time by which ages are told: the server's, whatever the browser's clock says. */
export const serverNow = () => Date.now() + ahead;
