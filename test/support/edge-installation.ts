import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import type { EdgeSettings } from "../../edge/edge.ts";
import type { Route } from "../../edge/routes.ts";
import { type EdgeProcess, EdgeStatus as Status } from "../../gen/lumetry/v1/edge_pb.js";
import type { EdgeProgram } from "./collector-process.ts";
import { eventually } from "./eventually.ts";
import { LIGHT_LOAD, type Load, LoadedEdge } from "./load.ts";
import type { ProgramOptions } from "./program.ts";
import type { AnyServer, Owner } from "./server.ts";

/** The one route of a collector. */
export const direct = (url: string): Route[] => [{ kind: "direct", url }];

/** What every kind of edge shows to operators. */
export interface Shown {
  status: Status;
  processes: EdgeProcess[];
}

export type AnyInstallation = EdgeInstallation<Shown>;

/** A directory where a collector or an agent is installed, and the token to enroll it with. */
export abstract class EdgeInstallation<What extends Shown> implements AsyncDisposable {
  readonly server: AnyServer;
  readonly owner: Owner;
  readonly token: string;
  readonly dataDir: string;
  #programs: EdgeProgram[] = [];

  constructor(server: AnyServer, owner: Owner, facts: { token: string; dataDir: string }) {
    this.server = server;
    this.owner = owner;
    this.token = facts.token;
    this.dataDir = facts.dataDir;
  }

  abstract readonly kind: EdgeSettings["kind"];

  /** Its id; for an agent there is none before it has enrolled. */
  abstract edgeId(): Promise<string>;

  /** As operators see it. */
  abstract shown(): Promise<What>;

  /** A program of this installation ends with it. */
  protected own<P extends EdgeProgram>(program: P): P {
    this.#programs.push(program);
    return program;
  }

  /** Starts one that measures what a load says, and is the same otherwise. */
  startLoaded(
    load: Partial<Omit<Load, "settings">> = {},
    settings: Partial<EdgeSettings> = {},
    options?: ProgramOptions,
  ): LoadedEdge {
    const { kind, dataDir, token: enrollmentToken } = this;
    const { url, caFile } = this.server;
    const own = { kind, routes: direct(url), caFile, dataDir, enrollmentToken };
    const all = { ...own, queueLimitBytes: 500_000_000, ...settings };
    return this.own(new LoadedEdge({ ...LIGHT_LOAD, ...load, settings: all }, options));
  }

  /** What is on disk about its identity. */
  async identity(): Promise<Record<string, string>> {
    return JSON.parse(await readFile(path.join(this.dataDir, "identity.json"), "utf8"));
  }

  /** Waits until its process is in good terms with the server. */
  async connected(program: EdgeProgram): Promise<void> {
    await eventually(`the ${this.kind} in ${this.dataDir} is connected`, async () => {
      if (program.ending) throw new Error(`it ended: ${program.errors}`);
      return (await program.status())?.state === "connected";
    });
  }

  /** Waits until the server has enrolled it. */
  async enrolled(): Promise<void> {
    await eventually(
      `the ${this.kind} is active`,
      async () => (await this.shown()).status === Status.ACTIVE,
    );
  }

  /** Waits for so many more heartbeats, whoever sends them. */
  async heartbeats(count: number): Promise<void> {
    const total = async () =>
      (await this.shown()).processes.reduce((sum, { sequence }) => sum + Number(sequence), 0);
    const before = await total();
    await eventually("heartbeats arrive", async () => (await total()) >= before + count);
  }

  /** How many credentials are in each state. */
  async credentials(): Promise<Partial<Record<"pending" | "active" | "ended", number>>> {
    const rows = await this.server.sql<{ state: string; count: number }>(
      "select state, count(*)::int from edge_credentials where edge_id = $1 group by 1",
      [await this.edgeId()],
    );
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
