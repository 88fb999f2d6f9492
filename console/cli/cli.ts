import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { toJsonString } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { type Connection, connect, type Reachable } from "./connection.ts";
import { CliError, ExitCode } from "./errors.ts";
import { findPlace, noServer, type Place, type PlaceFlags } from "./place.ts";
import { makePrompt, type Prompt } from "./prompt.ts";
import type { Whereabouts } from "./session-files.ts";
import { makeTerminal, type Terminal } from "./terminal.ts";

/** What every command works with. */
export interface Cli extends Whereabouts {
  readonly terminal: Terminal;
  readonly prompt: Prompt;
  readonly flags: PlaceFlags;
  /** Answers are wanted as JSON. */
  readonly json: boolean;
  now(): number;
  print(text: string): void;
  /** Something worth knowing that is not the answer: on standard error. */
  note(text: string): void;
  /** The server meant by flags, environment or files; undefined when none is known. */
  place(): Place | undefined;
  /** A connection as somebody; throws when no server is known or nobody is signed in. */
  signedIn(): Connection;
  /** A connection to a server; errors name the last one. */
  connect(place: Reachable): Connection;
  /** The last connection made, for explaining an error. */
  readonly connection: Connection | undefined;
  /** Closes all connections. */
  close(): void;
  /** Prints a response: as it is with --json, or else in words. */
  answer<Desc extends DescMessage>(
    schema: Desc,
    response: MessageShape<Desc>,
    words: () => string,
  ): void;
}

interface GlobalOptions {
  json?: boolean;
  server?: string;
  ca?: string;
  tokenFile?: string;
}

/** The command line of this process; flags are read when a command asks for them. */
export function makeCli(program: Command, environment: Whereabouts["environment"]): Cli {
  const terminal = makeTerminal(process.stdout, environment);
  const connections: Connection[] = [];
  let place: { found: Place | undefined } | undefined;
  const options = () => program.opts<GlobalOptions>();

  const cli: Cli = {
    directory: process.cwd(),
    environment,
    terminal,
    prompt: makePrompt(process.stdin, process.stderr),
    get flags() {
      return options();
    },
    get json() {
      return options().json === true;
    },
    get connection() {
      return connections.at(-1);
    },
    close() {
      for (const connection of connections) connection[Symbol.dispose]();
    },
    now: () => Date.now(),
    print: (text) => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    place() {
      if (!place) {
        const { place: found, warnings } = findPlace(options(), cli);
        for (const warning of warnings) cli.note(`lumetry: ${warning}.`);
        place = { found };
      }
      return place.found;
    },
    signedIn() {
      const found = cli.place();
      if (!found) throw noServer();
      if (!found.credential) {
        throw new CliError(`You are not signed in to ${found.url}.`, {
          exitCode: ExitCode.NOT_SIGNED_IN,
          hint: `Sign in with "lumetry login${found.file ? "" : ` --server ${found.url}`}", or set LUMETRY_TOKEN.`,
        });
      }
      return cli.connect(found);
    },
    connect(found) {
      const connection = connect(found, environment);
      connections.push(connection);
      return connection;
    },
    answer(schema, response, words) {
      cli.print(
        cli.json
          ? toJsonString(schema, response, { alwaysEmitImplicit: true, prettySpaces: 2 })
          : words(),
      );
    },
  };
  return cli;
}

/** Adds lines to a command's help that can be copied. */
export function example(command: Command, ...lines: string[]): Command {
  const title = lines.length === 1 ? "Example:" : "Examples:";
  return command.addHelpText("after", `\n${title}\n${lines.map((line) => `  ${line}`).join("\n")}`);
}
