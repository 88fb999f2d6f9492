import type { Terminal } from "../terminal.ts";

const FRAMES = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"];
const ASCII_FRAMES = [..."|/-\\"];
const FRAME_MS = 100;
const NAME_COLUMNS = 60;

/** Steps that people watch: a line for each with what came of it and how long it took. */
export interface Progress {
  /** Does one step; `outcome` words what stays on the screen. */
  step<T>(doing: string, work: () => Promise<T>, outcome: (result: T) => string): Promise<T>;
  /** A line between the steps. */
  say(text: string): void;
}

export function makeProgress(
  output: { write(text: string): void },
  terminal: Terminal,
  now: () => number = () => performance.now(),
): Progress {
  const signs = terminal.unicode ? { done: "✓", failed: "✗" } : { done: "+", failed: "x" };
  const frames = terminal.unicode ? FRAMES : ASCII_FRAMES;
  const clear = () => terminal.interactive && output.write("\r\x1b[K");
  const seconds = (ms: number) => terminal.paint(`${(ms / 1000).toFixed(1)} s`, "dim");

  return {
    async step(doing, work, outcome) {
      const begun = now();
      let frame = 0;
      const draw = () => {
        const sign = terminal.paint(frames[frame++ % frames.length] ?? "", "cyan");
        clear();
        output.write(`${sign} ${doing} … ${seconds(now() - begun)}`);
      };
      const timer = terminal.interactive ? setInterval(draw, FRAME_MS) : undefined;
      if (timer) draw();
      const end = (sign: string, text: string) => {
        clearInterval(timer);
        clear();
        output.write(`${sign} ${text.padEnd(NAME_COLUMNS)} ${seconds(now() - begun)}\n`);
      };
      try {
        const result = await work();
        end(terminal.paint(signs.done, "green"), outcome(result));
        return result;
      } catch (error) {
        end(terminal.paint(signs.failed, "red"), doing);
        throw error;
      }
    },
    say: (text) => output.write(`${text}\n`),
  };
}
