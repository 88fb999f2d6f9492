import { readStatus, type Status } from "../../edge/status.ts";
import { type Ending, Program, type ProgramOptions } from "./program.ts";

/** A program that runs on a collector's directory. */
export class EdgeProgram extends Program {
  readonly dataDir: string;

  constructor(file: string, parameters: string[], dataDir: string, options?: ProgramOptions) {
    super(file, parameters, options);
    this.dataDir = dataDir;
  }

  /** What it last wrote about itself; undefined before its first word. */
  async status(): Promise<Status | undefined> {
    const status = await readStatus(this.dataDir);
    return status?.pid === this.child.pid ? status : undefined;
  }
}

export interface CollectorOptions extends ProgramOptions {
  server: string;
  dataDir: string;
  caFile?: string | undefined;
  token?: string | undefined;
  /** Where it relays for agents; not at all unless told so. */
  relayListen?: string;
  /** More of its flags. */
  flags?: string[];
  /** Its program, where it is not that of this tree. */
  program?: string;
}

/** The collector's program as it is. */
export class CollectorProcess extends EdgeProgram {
  constructor(options: CollectorOptions) {
    const { server, dataDir, caFile, token, relayListen = "off", flags = [] } = options;
    super(
      options.program ?? "collector/main.ts",
      [
        ...["--server", server, "--data-dir", dataDir, "--relay-listen", relayListen],
        ...(caFile ? ["--ca", caFile] : []),
        ...(token === undefined ? [] : ["--enrollment-token", token]),
        ...flags,
      ],
      dataDir,
      options,
    );
  }
}

/** `lumetry collector status`, as somebody on the machine would ask. */
export function askStatus(dataDir: string, ...more: string[]): Promise<Ending> {
  return new Program("collector/main.ts", ["status", "--data-dir", dataDir, ...more]).ended;
}
