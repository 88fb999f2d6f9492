/**
 * Takes a secret out of the address, where only this browser sees it, and leaves it neither in the
 * address bar nor in the history; "" when there is none of that kind.
 */
export function takeFragment(prefix: string): string {
  const fragment = location.hash.slice(1);
  if (!fragment.startsWith(prefix)) return "";
  history.replaceState(history.state, "", location.pathname + location.search);
  return fragment;
}
