import { Argument, type Command } from "commander";
import { type Cli, example } from "../cli.ts";
import { completionScript, SHELLS, type Shell } from "../completion.ts";

export function addCompletion(program: Command, cli: Cli): void {
  example(
    program
      .command("completion")
      .description("Print a script that completes commands in a shell.")
      .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
      .action((shell: Shell) => cli.print(completionScript(program, shell))),
    "source <(lumetry completion bash)                       # in ~/.bashrc",
    "source <(lumetry completion zsh)                        # in ~/.zshrc, after compinit",
    "lumetry completion fish > ~/.config/fish/completions/lumetry.fish",
  );
}
