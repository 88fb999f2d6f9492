import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import test from "ava";
import type { Command } from "commander";
import { completionScript, SHELLS } from "../../../console/cli/completion.ts";
import { FAMILIES } from "../../../console/cli/families.ts";
import { makeProgram } from "../../../console/cli/program.ts";
import { openShell } from "../../support/cli.ts";

const run = promisify(execFile);
const { program } = await makeProgram({});

const leaves = (command: Command, above = ""): { path: string; command: Command }[] => {
  const at = `${above} ${command.name()}`.trim();
  return command.commands.length === 0
    ? [{ path: at, command }]
    : command.commands.flatMap((each) => leaves(each, at));
};

function help(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

for (const { path: name, command } of leaves(program)) {
  test(`${name} --help has an example that is this command`, (t) => {
    const text = help(command);
    t.regex(text, /\nExamples?:\n/);
    t.true(text.includes(`  ${name}`) || text.includes(`| ${name}`) || text.includes(`(${name}`));
    t.true(command.description().endsWith("."));
  });
}

test("lumetry --help lists all commands in groups, and the exit codes", async (t) => {
  await using shell = await openShell();
  const { code, stdout } = await shell.lumetry(["--help"]);
  t.is(code, 0);
  for (const group of [
    "Run:",
    "Sign in:",
    "Watch:",
    "Collectors and hosts:",
    "People and access:",
  ]) {
    t.true(stdout.includes(`\n${group}\n`), group);
  }
  const words = stdout.replace(/\s+/g, " ");
  t.regex(words, /collectors .* \(create, replace-token, list, show, rename, grant, rotate,/);
  t.regex(words, /3 not signed in, 4 not allowed, 5 the server cannot be reached/);
});

const commandsFor = async (...args: string[]) => {
  const made = await makeProgram({}, args);
  return made.program.commands;
};

test("a command is loaded with its family only, and has the help that it has among all", async (t) => {
  for (const { names, needsAll } of FAMILIES) {
    for (const name of names) {
      const commands = await commandsFor("--server", "https://a", "--json", name, "list");
      const loaded = commands.map((command) => command.name());
      if (needsAll)
        t.deepEqual(
          loaded,
          program.commands.map((command) => command.name()),
        );
      else t.deepEqual(loaded, [...names]);
      const alone = commands.find((command) => command.name() === name);
      const among = program.commands.find((command) => command.name() === name);
      if (!alone || !among) throw new Error(`there is no command ${name}`);
      t.is(help(alone), help(among), name);
      for (const below of alone.commands) {
        const same = among.commands.find((command) => command.name() === below.name());
        t.is(help(below), same ? help(same) : "", `${name} ${below.name()}`);
      }
    }
  }
});

test("all commands are loaded where none is meant, or none that there is", async (t) => {
  const all = program.commands.length;
  for (const args of [
    [],
    ["--help"],
    ["help", "users"],
    ["colectors", "list"],
    ["--server"],
    ["--sever", "users"],
    ["--server", "users"],
    ["constructor"],
  ]) {
    t.is((await commandsFor(...args)).length, all, args.join(" "));
  }
  t.is((await commandsFor("--version")).length, 0);
  t.is((await commandsFor("users", "list", "-V")).length, 0);
  t.is((await commandsFor("--server", "--version", "users")).length, 1);
});

test("a mistyped command ends with 2 and a suggestion", async (t) => {
  await using shell = await openShell();
  const { code, stdout, stderr } = await shell.lumetry(["colectors", "list"]);
  t.is(code, 2);
  t.is(stdout, "");
  t.regex(stderr, /^lumetry: unknown command 'colectors'\n\(Did you mean collectors\?\)/);
});

const complete = async (typed: string[]) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "lumetry-completion-"));
  try {
    const script = path.join(directory, "lumetry.bash");
    await writeFile(script, completionScript(program, "bash"));
    const words = typed.map((word) => `'${word}'`).join(" ");
    const { stdout } = await run("bash", [
      "--norc",
      "-c",
      `source ${script}; COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _lumetry; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ]);
    return stdout.trim().split("\n");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

test("bash completes lumetry coll<TAB>", async (t) => {
  t.deepEqual(await complete(["lumetry", "coll"]), ["collector", "collectors"]);
  t.deepEqual(await complete(["lumetry", "collectors", "re"]), [
    "replace-token",
    "rename",
    "revoke",
  ]);
});

test("bash completes flags and their values, behind global flags too", async (t) => {
  const behind = ["lumetry", "--server", "https://a", "collectors", "list"];
  t.deepEqual(await complete([...behind, "--st"]), ["--status"]);
  t.deepEqual(await complete([...behind, "--status", "du"]), ["duplicate_suspected"]);
  t.deepEqual(await complete(["lumetry", "users", "create", "a@b", "--role", ""]), [
    "viewer",
    "operator",
    "admin",
  ]);
});

test("the completion of every shell knows every command", (t) => {
  for (const shell of SHELLS) {
    const script = completionScript(program, shell);
    for (const { path: name } of leaves(program)) {
      t.true(script.includes(name.replaceAll(" ", "/")), `${shell}: ${name}`);
    }
  }
});
