import type { Page } from "playwright-core";
import type { TestServer } from "../../../support/server.ts";

/** What all parts of the journey have in common: one server, one browser, one person who is signed in. */
export interface Journey {
  page: () => Page;
  server: () => TestServer;
}

/** Short ways to what is on the page. */
export const on = ({ page }: Journey) => ({
  button: (name: string | RegExp, exact = true) => page().getByRole("button", { name, exact }),
  item: (name: string) => page().getByRole("menuitem", { name }),
  heading: (name: string | RegExp) => page().getByRole("heading", { name }),
  tab: (name: string) => page().getByRole("tab", { name }),
  text: (words: string | RegExp) => page().getByText(words).first().waitFor(),
  field: (label: string | RegExp) => page().getByLabel(label, { exact: typeof label === "string" }),
  link: (name: string) => page().getByRole("link", { name, exact: true }).first(),
  tag: (word: string) =>
    page()
      .locator(".tag", { hasText: new RegExp(`^${word}$`) })
      .first(),
});
