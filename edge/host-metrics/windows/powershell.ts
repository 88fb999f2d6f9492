import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A first answer takes some seconds, since Windows loads what it asks for. */
const PATIENCE_MS = 20_000;
/** Hosts with hundreds of sites stay far below it. */
const MOST_BYTES = 4 << 20;

const POWERSHELL = [
  "powershell.exe",
  ...["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"],
  fileURLToPath(new URL("query.ps1", import.meta.url)),
];

/** A process that answers a line on its input with a line of JSON; it goes on from question to question. */
export interface Powershell {
  /** One question at a time. Rejects when no proper answer comes in time; the next one begins anew. */
  ask(): Promise<unknown>;
  /** Ends the process, if it runs. */
  stop(): void;
}

/**
 * Keeps one PowerShell, because starting it takes half a second of processor time. It ends with this
 * process, whose end closes its input.
 */
export function makePowershell(command = POWERSHELL, patienceMs = PATIENCE_MS): Powershell {
  let child: ChildProcess | undefined;

  const start = (): ChildProcess => {
    const [file = "", ...parameters] = command;
    const started = spawn(file, parameters, {
      stdio: ["pipe", "pipe", "ignore"],
      windowsHide: true,
    });
    started.stdin?.on("error", () => {}); // its end is noticed below
    started.unref();
    return started;
  };

  const stop = () => {
    child?.kill("SIGKILL");
    child = undefined;
  };

  const nextLine = (from: ChildProcess): Promise<string> =>
    new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        from.stdout?.removeAllListeners();
        from.removeAllListeners();
        finish();
      };
      const fail = (reason: string) => settle(() => reject(new Error(reason)));
      const timer = setTimeout(
        () => fail(`PowerShell gave no answer within ${patienceMs / 1000} s`),
        patienceMs,
      );
      from.once("error", (error) => fail(`PowerShell cannot be run: ${error.message}`));
      from.once("exit", (code) => fail(`PowerShell ended with ${code}`));
      from.stdout?.on("data", (piece: Buffer) => {
        pieces.push(piece);
        bytes += piece.length;
        if (bytes > MOST_BYTES) fail(`PowerShell answered more than ${MOST_BYTES} bytes`);
        else if (piece.at(-1) === 0x0a) settle(() => resolve(Buffer.concat(pieces).toString()));
      });
      from.stdin?.write("\n");
    });

  return {
    async ask() {
      child ??= start();
      try {
        return JSON.parse((await nextLine(child)).replace(/^\uFEFF/, ""));
      } catch (error) {
        stop();
        throw error instanceof SyntaxError
          ? new Error(`PowerShell's answer is no JSON: ${error.message}`)
          : error;
      }
    },
    stop,
  };
}
