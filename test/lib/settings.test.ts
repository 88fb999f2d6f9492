import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "ava";
import {
  boolean,
  bytes,
  choice,
  duration,
  hostPort,
  integer,
  readSettings,
  SettingsError,
  text,
  url,
} from "../../lib/settings.ts";

const definitions = {
  listen: { description: "", parse: hostPort, default: "0.0.0.0:8443" },
  logLevel: { description: "", parse: choice("info", "debug"), default: "info" },
  name: { description: "", parse: text },
} as const;

test("the command line wins over the environment over the file over the default", (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "lumetry-settings-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, "settings.json");
  writeFileSync(file, JSON.stringify({ name: "file", logLevel: "debug" }));
  const read = (flags: object, environment: Record<string, string>) =>
    readSettings(definitions, { flags: { ...flags }, environment, file });
  t.is(read({ name: "flag" }, { LUMETRY_NAME: "env" }).name, "flag");
  t.is(read({}, { LUMETRY_NAME: "env" }).name, "env");
  t.is(read({}, { LUMETRY_NAME: "" }).name, "file");
  t.is(read({}, {}).logLevel, "debug");
  t.deepEqual(read({}, {}).listen, { host: "0.0.0.0", port: 8443 });
});

test("every mistake is told at once, with what to write", (t) => {
  const error = t.throws(
    () =>
      readSettings(definitions, {
        flags: { listen: "here" },
        environment: { LUMETRY_LOG_LEVEL: "loud" },
      }),
    { instanceOf: SettingsError },
  );
  t.is(
    error?.message,
    `--listen: 'here' is not host:port; write for example "0.0.0.0:8443" or "[::1]:8443".\n` +
      "LUMETRY_LOG_LEVEL: 'loud' is none of info, debug.",
  );
});

test("a settings file that is missing, no JSON, or names what is not there is refused with words", (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "lumetry-settings-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, "settings.json");
  const message = (content?: string) => {
    if (content !== undefined) writeFileSync(file, content);
    return t.throws(() => readSettings(definitions, { file }), { instanceOf: SettingsError })
      ?.message;
  };
  t.regex(message() ?? "", /cannot be read: ENOENT/);
  t.regex(message("{") ?? "", /cannot be read/);
  t.regex(message("[]") ?? "", /must hold one JSON object/);
  t.regex(message('{"listn": "x"}') ?? "", /no setting 'listn'; there are listen, logLevel, name/);
  t.regex(message('{"name": {}}') ?? "", /name must be a string/);
});

const cases: [
  name: string,
  parse: (value: string) => unknown,
  good: [string, unknown][],
  bad: string[],
][] = [
  [
    "addresses",
    hostPort,
    [
      ["[::1]:0", { host: "::1", port: 0 }],
      [":80", { host: "::", port: 80 }],
    ],
    ["", "x", "x:70000", "::1:80"],
  ],
  [
    "spans",
    duration(1000),
    [
      ["1.5s", 1500],
      ["90d", 7_776_000_000],
    ],
    ["", "5", "-5s", "10ms", "1 s"],
  ],
  [
    "sizes",
    bytes(1000),
    [
      ["500MB", 500_000_000],
      ["1 GiB", 2 ** 30],
      ["2000", 2000],
    ],
    ["", "5", "1TB", "-1MB"],
  ],
  ["whole numbers", integer(1, 9), [["9", 9]], ["", "0", "10", "1.5", "x"]],
  [
    "booleans",
    boolean,
    [
      ["yes", true],
      ["0", false],
    ],
    ["", "maybe"],
  ],
  [
    "addresses of servers",
    url("https:"),
    [["https://a.example", "https://a.example"]],
    ["", "a", "http://a", "https://u:p@a.example"],
  ],
];
for (const [name, parse, good, bad] of cases) {
  test(`${name} are read as people write them`, (t) => {
    for (const [value, expected] of good) t.deepEqual(parse(value), expected);
    for (const value of bad) t.throws(() => parse(value), undefined, value);
  });
}
