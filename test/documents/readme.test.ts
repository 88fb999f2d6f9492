/** What README.md shows is what happens: its commands are run, and its answers compared. */
import { execFile, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { agentSettings } from "../../agent/settings.ts";
import { collectorSettings } from "../../collector/settings.ts";
import { serverSettings } from "../../server/settings.ts";
import { addCollector } from "../support/collector.ts";
import { type Owner, setUp, startTestServer, type TestServer } from "../support/server.ts";
import { fenceAfter, fencesOf, partOf, readDocument, root } from "./markdown.ts";
import { withSettingsTables } from "./settings-tables.ts";

const readme = readDocument("README.md");
const run = promisify(execFile);

let server: TestServer;
let owner: Owner;
test.before(async () => {
  server = await startTestServer();
  owner = await setUp(server);
});
test.after.always(() => server?.[Symbol.asyncDispose]());

interface Step {
  title: string;
  commands: string;
  /** The answers shown for them. */
  shown: unknown[];
}

/** The block that sets the variables, and each block of commands with the answers below it. */
function readSteps(): { variables: string; steps: Step[] } {
  const [variables, ...fences] = fencesOf(partOf(readme, "curl"));
  const steps = fences.flatMap(({ language, text: commands, before }, at): Step[] => {
    if (language !== "bash") return [];
    const answers = fences[at + 1];
    const title = /\*\*(.*?)[.,?]?\*\*/.exec(before)?.[1] ?? "";
    return [{ title, commands, shown: answers?.language === "json" ? readJson(answers.text) : [] }];
  });
  return { variables: variables?.text ?? "", steps };
}

/** Several JSON values, each of which starts at the beginning of a line. */
const readJson = (lines: string): unknown[] =>
  lines
    .split(/\n(?=\S)/)
    .filter((value) => value.trim() !== "")
    .map((value) => JSON.parse(value));

const { variables, steps } = readSteps();
const END = "end of step";
const END_LINE = new RegExp(`^${END} (\\d+)\n`, "m");

/** As if everything was pasted into one shell, but for the variables, which are the test server's. */
async function pasteAll(): Promise<{ stdout: string; code: string }[]> {
  try {
    await run("curl", ["--version"]);
  } catch {
    throw new Error("curl is not on this machine: install it, for README.md promises what it does");
  }
  const values: Record<string, string> = {
    URL: server.url,
    CA: server.caFile,
    EMAIL: owner.email,
    PASSWORD: owner.password,
  };
  const missing = new Set(Object.keys(values));
  const own = variables.replace(/^([A-Z]+)=.*$/gm, (line, name: string) => {
    if (!missing.delete(name)) return line;
    return `${name}='${values[name]}'`;
  });
  if (missing.size > 0) throw new Error(`README.md does not set ${[...missing].join(", ")}`);
  const bash = spawn("bash", ["--norc", "--noprofile", "-u"], {
    cwd: os.tmpdir(),
    stdio: ["pipe", "pipe", "inherit"],
  });
  const pasted = [own, ...steps.map(({ commands }) => commands)];
  bash.stdin.end(pasted.map((commands) => `${commands}\nprintf '\\n${END} %s\\n' $?\n`).join(""));
  const stdout = await text(bash.stdout);
  const [, , ...parts] = stdout.split(END_LINE);
  return steps.map((_, at) => ({ stdout: parts[2 * at] ?? "", code: parts[2 * at + 1] ?? "" }));
}

let pasting: ReturnType<typeof pasteAll> | undefined;
const pasted = () => {
  pasting ??= pasteAll();
  return pasting;
};

/** "…" stands for any text; as a name, for whatever else there is. */
function compare(t: ExecutionContext, shown: unknown, actual: unknown, at: string): void {
  if (typeof shown === "string") {
    const pattern = shown.split("…").map((piece) => RegExp.escape(piece));
    t.regex(String(actual), new RegExp(`^${pattern.join("[^]*")}$`), at);
  } else if (typeof shown === "object" && shown !== null) {
    t.is(typeof actual, "object", at);
    const { "…": rest, ...named } = shown as Record<string, unknown>;
    const values = (actual ?? {}) as Record<string, unknown>;
    if (rest === undefined) t.deepEqual(Object.keys(values).sort(), Object.keys(named).sort(), at);
    for (const [name, value] of Object.entries(named)) {
      compare(t, value, values[name], `${at}.${name}`);
    }
  } else t.is(actual, shown, at);
}

test("README, curl: there are ten things to try, numbered", (t) => {
  t.deepEqual(
    steps.map(({ title }) => Number.parseInt(title, 10)),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
});

for (const [index, { title, shown }] of steps.entries()) {
  test(`README, curl: ${title}`, async (t) => {
    const part = (await pasted())[index];
    t.is(part?.code, "0");
    const actual = readJson(part?.stdout ?? "");
    t.true(shown.length > 0, "README.md shows no answer");
    t.is(actual.length, shown.length, part?.stdout ?? "");
    for (const [at, value] of shown.entries()) compare(t, value, actual[at], `answer ${at + 1}`);
  });
}

test("README: the lines for the client package list the collectors", async (t) => {
  const { collectorId } = await addCollector(server, owner, "seen by the client package");
  const directory = await mkdtemp(path.join(os.tmpdir(), "lumetry-client-"));
  try {
    // As npm lays it out for a project that has Lumetry and Connect among its dependencies.
    await mkdir(path.join(directory, "node_modules"));
    await symlink(root, path.join(directory, "node_modules/lumetry"));
    await symlink(
      path.join(root, "node_modules/@connectrpc"),
      path.join(directory, "node_modules/@connectrpc"),
    );
    const file = path.join(directory, "list.mjs");
    await writeFile(file, fenceAfter(readme, /client package/i).text);
    const { stdout } = await run(process.execPath, [file], {
      env: {
        ...process.env,
        LUMETRY_SERVER: server.url,
        LUMETRY_TOKEN: owner.token,
        NODE_EXTRA_CA_CERTS: server.caFile,
      },
    });
    t.regex(stdout, new RegExp(`${collectorId} +seen by the client package`));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("README: the tables of settings are those of the programs", (t) => {
  t.is(readme, withSettingsTables(readme), "run: npm run document");
});

for (const [program, settings] of Object.entries({
  server: serverSettings,
  collector: collectorSettings,
  agent: agentSettings,
})) {
  test(`README: every setting of the ${program} that the table lists does something`, (t) => {
    const folders = program === "server" ? [program] : [program, "edge"];
    const sources = folders
      .flatMap((folder) =>
        readdirSync(path.join(root, folder), { recursive: true }).map((file) =>
          path.join(folder, String(file)),
        ),
      )
      .filter((file) => file.endsWith(".ts") && path.basename(file) !== "settings.ts")
      .map(readDocument)
      .join("\n");
    for (const name of Object.keys(settings)) t.regex(sources, new RegExp(`\\b${name}\\b`), name);
  });
}

test("every npm script that the documents name is there, with its program", (t) => {
  const { scripts } = JSON.parse(readDocument("package.json"));
  for (const name of ["README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md"]) {
    const document = readDocument(name);
    for (const [, short, long] of document.matchAll(/npm (?:(start|test)\b|run (\w+))/g)) {
      const script = short ?? long ?? "";
      const [, program] = /^node (\S+)/.exec(scripts[script] ?? "") ?? [];
      t.true(scripts[script] !== undefined, `${name} names npm run ${script}`);
      if (program) t.true(existsSync(path.join(root, program)), `${name}: ${program} is missing`);
    }
  }
});

test("every file and folder that the documents name is there", (t) => {
  for (const name of ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]) {
    for (const [, target = ""] of readDocument(name).matchAll(/\]\(([^)#:]+)\)/g)) {
      t.true(existsSync(path.join(root, target)), `${name}: ${target}`);
    }
  }
});
