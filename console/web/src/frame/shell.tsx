import { Dialog } from "@base-ui/react/dialog";
import { type ReactNode, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { RoleSchema } from "../../../../gen/lumetry/access/v1/access_pb.js";
import { useConnection } from "../client/live.ts";
import { useSelf, useSignOut } from "../client/session.tsx";
import { GROUPS, PAGES } from "../pages.ts";
import { AgeOf } from "../ui/age.tsx";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Menu, MenuItem, MenuLine } from "../ui/menu.tsx";
import { enumWord } from "../words/counts.ts";
import { Mark } from "./brand.tsx";
import { late, Opened } from "./late.tsx";
import { chooseTheme, type Theme, useTheme } from "./theme.ts";

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.closest("input, textarea, select") !== null);

const Palette = late(async () => (await import("./palette.tsx")).Palette);
const KeysHelp = late(async () => (await import("./keys-help.tsx")).KeysHelp);

/** Gets what opens over a page, before somebody wants it. */
export const loadOverlays = () => Promise.all([Palette.load(), KeysHelp.load()]);

/** What is around every page: where to go, who one is, and the keys that work everywhere. */
export function Shell({ children }: { children: ReactNode }) {
  const [location] = useLocation();
  const [open, setOpen] = useState<"palette" | "keys" | "drawer">();
  const close = () => setOpen(undefined);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        setOpen("palette");
      } else if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) {
        return;
      } else if (event.key === "/") {
        const field = document.querySelector<HTMLElement>("main [data-search]");
        event.preventDefault();
        if (field) field.focus();
        else setOpen("palette");
      } else if (event.key === "?") setOpen("keys");
      else if (event.key === "ArrowDown" && event.target === document.body) {
        const row = document.querySelector<HTMLElement>('main [data-row="0"]');
        if (row) event.preventDefault();
        row?.focus();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page closes what was open over the last
  useEffect(() => {
    close();
    scrollTo(0, 0);
  }, [location]);

  return (
    <div className="frame">
      <a className="skip button" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <IconButton icon="menu" label="Menu" onClick={() => setOpen("drawer")} />
        <Link className="brand" href="/">
          <Mark size={20} /> Lumetry
        </Link>
        <IconButton icon="search" label="Go to…" onClick={() => setOpen("palette")} />
      </header>
      <Side onPalette={() => setOpen("palette")} onKeys={() => setOpen("keys")} />
      <main className="main" id="main" tabIndex={-1}>
        <Away />
        {children}
      </main>
      <Opened open={open === "drawer"}>
        <Dialog.Root open={open === "drawer"} onOpenChange={(next) => !next && close()}>
          <Dialog.Portal>
            <Dialog.Backdrop className="backdrop" />
            <Dialog.Popup className="drawer fades" aria-label="Menu">
              <Side onPalette={() => setOpen("palette")} onKeys={() => setOpen("keys")} />
            </Dialog.Popup>
          </Dialog.Portal>
        </Dialog.Root>
      </Opened>
      <Opened open={open === "palette"}>
        <Palette.Component open={open === "palette"} onClose={close} />
      </Opened>
      <Opened open={open === "keys"}>
        <KeysHelp.Component open={open === "keys"} onClose={close} />
      </Opened>
    </div>
  );
}

function Side({ onPalette, onKeys }: { onPalette: () => void; onKeys: () => void }) {
  const self = useSelf();
  const [location] = useLocation();
  const shown = PAGES.filter(({ nav }) => nav && self.may(nav.role));
  const isHere = (path: string) =>
    path === "/" ? location === "/" : location === path || location.startsWith(`${path}/`);
  return (
    <div className="side">
      <Link className="brand" href="/">
        <Mark /> Lumetry
      </Link>
      <button type="button" className="button side-opener" onClick={onPalette}>
        Go to… <kbd className="key">Ctrl K</kbd>
      </button>
      <nav aria-label="Pages">
        {GROUPS.map((group) => (
          <div key={group}>
            <h2>{group}</h2>
            <ul>
              {shown
                .filter(({ nav }) => nav?.group === group)
                .map(({ path, nav, load }) => (
                  <li key={path}>
                    <Link
                      className="side-link"
                      href={path}
                      aria-current={isHere(path) ? "page" : undefined}
                      onPointerEnter={() => load()}
                    >
                      <Icon name={nav?.icon ?? "overview"} />
                      {nav?.title}
                    </Link>
                  </li>
                ))}
            </ul>
          </div>
        ))}
      </nav>
      <div className="side-end">
        <PersonMenu onKeys={onKeys} />
      </div>
    </div>
  );
}

const THEMES: Record<Theme, string> = { system: "as the system", light: "light", dark: "dark" };
const NEXT_THEME: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

function PersonMenu({ onKeys }: { onKeys: () => void }) {
  const self = useSelf();
  const signOut = useSignOut();
  const [, navigate] = useLocation();
  const { theme } = useTheme();
  return (
    <Menu
      trigger={
        <button type="button" className="person">
          <span>
            <span className="cut strong foreign">{self.user?.displayName}</span>
            <span className="cut soft foreign">{self.workspaceName}</span>
          </span>
          <Icon name="more" />
        </button>
      }
    >
      <div className="menu-title">
        <span className="foreign">{self.user?.email}</span>, {enumWord(RoleSchema, self.role)}
      </div>
      <MenuItem onClick={() => chooseTheme(NEXT_THEME[theme])}>
        Theme <span className="soft">{THEMES[theme]}</span>
      </MenuItem>
      <MenuItem onClick={() => navigate("/settings")}>Settings and password</MenuItem>
      <MenuItem onClick={onKeys}>
        Keyboard <kbd className="key">?</kbd>
      </MenuItem>
      <MenuLine />
      <MenuItem onClick={() => signOut.mutate({})}>Sign out</MenuItem>
    </Menu>
  );
}

/** Says that what is shown may be old, and how old. */
function Away() {
  const { reachable, heardAt } = useConnection();
  if (reachable) return null;
  return (
    <div className="away" role="status">
      The server does not answer. What you see was last heard of <AgeOf ms={heardAt} />; this page
      goes on trying.
    </div>
  );
}
