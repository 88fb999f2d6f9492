import type { Command } from "commander";
import { CapabilitySchema, RoleSchema } from "../../gen/lumetry/access/v1/access_pb.js";
import {
  Channel_KindSchema,
  Delivery_StatusSchema,
} from "../../gen/lumetry/v1/channel_service_pb.js";
import { EdgeStatusSchema } from "../../gen/lumetry/v1/edge_pb.js";
import { Incident_StateSchema } from "../../gen/lumetry/v1/incident_pb.js";
import { QueryRangeRequest_AggregationSchema } from "../../gen/lumetry/v1/metric_query_service_pb.js";
import { SeveritySchema } from "../../gen/lumetry/v1/severity_pb.js";
import {
  WorkItem_KindSchema,
  WorkItem_StateSchema,
} from "../../gen/lumetry/v1/work_query_service_pb.js";
import { enumWords } from "./words.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What can stand for a placeholder such as "<role>"; "files" for paths. */
const VALUES: Record<string, string[] | "files"> = {
  role: enumWords(RoleSchema).filter((word) => word !== "owner"),
  status: enumWords(EdgeStatusSchema),
  capability: enumWords(CapabilitySchema),
  severity: enumWords(SeveritySchema),
  "incident-state": enumWords(Incident_StateSchema),
  "channel-kind": enumWords(Channel_KindSchema),
  outcome: enumWords(Delivery_StatusSchema),
  "work-kind": enumWords(WorkItem_KindSchema),
  "work-state": enumWords(WorkItem_StateSchema),
  word: enumWords(QueryRangeRequest_AggregationSchema),
  switch: ["on", "off"],
  shell: [...SHELLS],
  file: "files",
  directory: "files",
};

interface Word {
  text: string;
  description: string;
}

interface Flag extends Word {
  /** What its value can be; undefined when it takes none. */
  value: string[] | "files" | undefined;
}

/** One command: what may follow it. */
interface Node {
  /** The words that lead here, joined by "/": "lumetry/collectors/list". */
  path: string;
  commands: Word[];
  flags: Flag[];
  /** What its arguments can be. */
  values: string[] | "files" | undefined;
}

const placeholder = (text: string) => VALUES[/[<[]([\w-]+)/.exec(text)?.[1] ?? ""] ?? [];

function collect(command: Command, parent: string, inherited: Flag[]): Node[] {
  const path = parent === "" ? command.name() : `${parent}/${command.name()}`;
  const own = command.options.flatMap((option): Flag[] => {
    const value = option.required || option.optional ? placeholder(option.flags) : undefined;
    const { description } = option;
    return [option.short, option.long].flatMap((text) =>
      text ? [{ text, description, value }] : [],
    );
  });
  const flags = [...own, ...inherited];
  const values = command.registeredArguments
    .map((argument) => VALUES[argument.name()])
    .find((found) => found !== undefined);
  return [
    {
      path,
      commands: command.commands.map((each) => ({
        text: each.name(),
        description: each.description(),
      })),
      flags: [...flags, { text: "--help", description: "show help", value: undefined }],
      values: command.commands.length > 0 ? undefined : values,
    },
    ...command.commands.flatMap((each) => collect(each, path, flags)),
  ];
}

/** A script for a shell to source, made from the tree of commands. */
export function completionScript(program: Command, shell: Shell): string {
  const nodes = collect(program, "", []);
  switch (shell) {
    case "bash":
      return bash(nodes);
    case "zsh":
      return zsh(nodes);
    case "fish":
      return fish(nodes);
  }
}

/** Every flag once; flags of one name take the same kind of value everywhere. */
const allFlags = (nodes: Node[]) => [
  ...new Map(nodes.flatMap(({ flags }) => flags.map((flag) => [flag.text, flag]))).values(),
];

const patterns = (texts: string[]) => texts.join("|");
const below = (nodes: Node[]) => patterns(nodes.slice(1).map(({ path }) => path));

function valueCases(nodes: Node[], files: string, words: (list: string[]) => string): string[] {
  const byValue = Map.groupBy(
    allFlags(nodes).filter(({ value }) => value !== undefined),
    ({ value }) => (value === "files" ? files : words(value ?? [])),
  );
  return [...byValue].map(
    ([action, flags]) => `    ${patterns(flags.map(({ text }) => text))}) ${action}; return ;;`,
  );
}

const takesValue = (nodes: Node[]) =>
  patterns(allFlags(nodes).flatMap(({ text, value }) => (value === undefined ? [] : [text])));

function bash(nodes: Node[]): string {
  const words = (list: string[]) => `COMPREPLY=($(compgen -W '${list.join(" ")}' -- "$current"))`;
  return `# bash completion of lumetry
_lumetry() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local at=lumetry commands= flags= files= index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in
      ${takesValue(nodes)}) ((index++)); continue ;;
    esac
    case "$at/\${COMP_WORDS[index]}" in
      ${below(nodes)}) at="$at/\${COMP_WORDS[index]}" ;;
    esac
  done
  case "$previous" in
${valueCases(nodes, 'COMPREPLY=($(compgen -f -- "$current"))', words).join("\n")}
  esac
  case "$at" in
${nodes
  .map(({ path, commands, flags, values }) => {
    const files = values === "files" ? " files=1" : "";
    const follow = values && values !== "files" ? values : commands.map(({ text }) => text);
    return `    ${path}) commands='${follow.join(" ")}' flags='${flags.map(({ text }) => text).join(" ")}'${files} ;;`;
  })
  .join("\n")}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ -n $files ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  else
    COMPREPLY=($(compgen -W "$commands" -- "$current"))
  fi
}
complete -o filenames -o bashdefault -F _lumetry lumetry
`;
}

/** For zsh's _describe: colons part a word from its description. */
const described = ({ text, description }: Word) =>
  `'${text.replaceAll(":", "\\:")}:${description.replaceAll("'", "'\\''")}'`;

function zsh(nodes: Node[]): string {
  const words = (list: string[]) => `compadd -- ${list.join(" ")}`;
  return `#compdef lumetry
_lumetry() {
  local at=lumetry index
  local -a commands flags
  for ((index = 2; index < CURRENT; index++)); do
    case "$words[index]" in
      ${takesValue(nodes)}) ((index++)); continue ;;
    esac
    case "$at/$words[index]" in
      ${below(nodes)}) at="$at/$words[index]" ;;
    esac
  done
  case "$words[CURRENT-1]" in
${valueCases(nodes, "_files", words).join("\n")}
  esac
  case "$at" in
${nodes
  .map(({ path, commands, flags, values }) => {
    const follow = Array.isArray(values) ? `; compadd -- ${values.join(" ")}` : "";
    return `    ${path}) commands=(${commands.map(described).join(" ")}) flags=(${flags.map(described).join(" ")})${values === "files" ? "; _files" : follow} ;;`;
  })
  .join("\n")}
  esac
  if [[ $PREFIX == -* ]]; then
    _describe flag flags
  elif (( $#commands )); then
    _describe command commands
  fi
}
if [[ $funcstack[1] == _lumetry ]]; then _lumetry "$@"; else compdef _lumetry lumetry; fi
`;
}

function fish(nodes: Node[]): string {
  const quote = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = nodes.flatMap(({ path, commands, flags, values }) => {
    const here = `-n ${quote(`__lumetry_at ${path}`)}`;
    return [
      ...commands.map(
        ({ text, description }) =>
          `complete -c lumetry ${here} -a ${text} -d ${quote(description)}`,
      ),
      ...(Array.isArray(values)
        ? [`complete -c lumetry ${here} -a ${quote(values.join(" "))}`]
        : []),
      ...(values === "files" ? [`complete -c lumetry ${here} -F`] : []),
      ...flags.map(({ text, description, value }) => {
        const name = text.startsWith("--") ? `-l ${text.slice(2)}` : `-s ${text.slice(1)}`;
        const takes =
          value === undefined
            ? ""
            : value === "files"
              ? " -rF"
              : ` -x -a ${quote(value.join(" "))}`;
        return `complete -c lumetry ${here} ${name} -d ${quote(description)}${takes}`;
      }),
    ];
  });
  return `# fish completion of lumetry
function __lumetry_at
  set -l at lumetry
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
      case ${takesValue(nodes).replaceAll("|", " ")}
        set skip 1
        continue
    end
    switch "$at/$word"
      case ${below(nodes).replaceAll("|", " ")}
        set at "$at/$word"
    end
  end
  test "$at" = "$argv[1]"
end
complete -c lumetry -f
${lines.join("\n")}
`;
}
