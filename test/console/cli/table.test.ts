import test from "ava";
import { facts, table } from "../../../console/cli/table.ts";
import { makeTerminal, plain, plainLines } from "../../../console/cli/terminal.ts";
import { shorten, textWidth } from "../../../console/cli/width.ts";

const rows = [
  { name: "edge-lyon-1", seen: "12 minutes ago", queued: "1,204", note: "x".repeat(40) },
  { name: "パリのコレクター", seen: "just now", queued: "0", note: "" },
];
type Row = (typeof rows)[number];

const columns = [
  { title: "NAME", value: ({ name }: Row) => name, least: 8 },
  { title: "LAST SEEN", value: ({ seen }: Row) => seen },
  { title: "QUEUED", value: ({ queued }: Row) => queued, align: "right" as const, rank: 1 },
  { title: "NOTE", value: ({ note }: Row) => note, least: 6, rank: 2 },
];

const wide = makeTerminal({}, {});
const narrow = (columns: number) => makeTerminal({ isTTY: true, columns }, { NO_COLOR: "1" });

test("a table lines up, also with names that are two columns a letter", (t) => {
  const [head = "", first = "", second = ""] = table(rows, columns, wide).split("\n");
  const at = head.indexOf("LAST SEEN");
  t.is(first.indexOf("12 minutes"), at);
  t.is(textWidth(second.slice(0, second.indexOf("just now"))), at);
  t.true(first.includes(" 1,204  "));
});

test("a table gives way to a narrow terminal, first by cutting, then by leaving out", (t) => {
  const cut = table(rows, columns, narrow(60));
  t.true(cut.split("\n").every((line) => textWidth(line) <= 60));
  t.regex(cut, /x…/);
  const left = table(rows, columns, narrow(38));
  t.notRegex(left, /NOTE/);
  t.regex(left, /QUEUED/);
  t.regex(left, /\(1 column does not fit/);
  t.regex(table(rows, columns, narrow(30)), /\(2 columns do not fit/);
});

test("a file gets everything", (t) => {
  t.regex(table(rows, columns, wide), /x{40}/);
});

test("a column without anything to say is left out", (t) => {
  t.notRegex(table(rows.slice(1), columns, wide), /NOTE/);
});

test("facts leave out what is not known", (t) => {
  t.is(
    facts(
      [
        ["name", "edge"],
        ["revoked", undefined],
        ["zone", "Lyon"],
      ],
      wide,
    ),
    "name  edge\nzone  Lyon",
  );
});

test("text from elsewhere cannot steer the terminal", (t) => {
  t.is(plain("a\x1b[2Jb\u202ec\nd"), "a\ufffd[2Jb\ufffdc d");
  t.is(plainLines("a\x9b1m\n\tb"), "a\ufffd1m\n  b");
});

test("colours are for people at a terminal who want them", (t) => {
  const red = (output: object, environment: Record<string, string>) =>
    makeTerminal(output, environment).paint("x", "red");
  const tty = { isTTY: true, columns: 80, hasColors: () => true };
  t.is(red(tty, {}), "\x1b[31mx\x1b[39m");
  t.is(red(tty, { NO_COLOR: "1" }), "x");
  t.is(red(tty, { TERM: "dumb" }), "x");
  t.is(red({}, {}), "x");
  t.is(red({}, { FORCE_COLOR: "1" }), "\x1b[31mx\x1b[39m");
});

test("text is cut by what is seen of it", (t) => {
  t.is(shorten("日本語", 4), "日…");
  t.is(shorten("abc", 3), "abc");
  t.is(textWidth("\x1b[31me\u0301\x1b[39m👍🏽"), 3);
});
