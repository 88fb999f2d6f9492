import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const KEY = "lumetry.theme";
const listeners = new Set<() => void>();

const read = (): Theme => {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
};
let theme = read();

function apply(): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
apply();

export function chooseTheme(next: Theme): void {
  theme = next;
  localStorage.setItem(KEY, next);
  apply();
  for (const listener of listeners) listener();
}

const system = matchMedia("(prefers-color-scheme: dark)");

/** What was chosen, and what it comes to now. */
export function useTheme(): { theme: Theme; isDark: boolean } {
  const isDark = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      system.addEventListener("change", listener);
      return () => {
        listeners.delete(listener);
        system.removeEventListener("change", listener);
      };
    },
    () => `${theme} ${theme === "dark" || (theme === "system" && system.matches)}`,
  );
  return { theme, isDark: isDark.endsWith("true") };
}
