import path from "node:path";
import type { EdgeSettings } from "../../edge/edge.ts";
import type { Status } from "../../edge/status.ts";
import type { AnyInstallation } from "../support/edge-installation.ts";
import { eventually } from "../support/eventually.ts";
import { direct, type Installation, install } from "../support/installation.ts";
import { LIGHT_LOAD, type Load, type LoadedEdge } from "../support/load.ts";
import { type NetworkProxy, startProxy } from "../support/proxy.ts";
import type { AnyServer, Owner } from "../support/server.ts";
import { type Accounts, settleAccounts } from "./accounts.ts";

/** A thousand points a second, of which the server refuses some. */
export const STEADY_LOAD: Partial<Load> = { everyMs: 100, goodSeries: 97, badSeries: 3 };

/** One loaded edge and its ledger; it is killed and started again. */
export abstract class LoadedSubject<Installed extends AnyInstallation> implements AsyncDisposable {
  readonly installation: Installed;
  readonly load: Omit<Load, "settings"> & { ledger: string };
  readonly since = Date.now();
  edge: LoadedEdge;
  kills = 0;
  #settings: Partial<EdgeSettings>;

  constructor(installation: Installed, load: Partial<Load>, settings: Partial<EdgeSettings>) {
    this.installation = installation;
    const ledger = path.join(installation.dataDir, "ledger");
    this.load = { ...LIGHT_LOAD, ...load, ledger };
    this.#settings = settings;
    this.edge = installation.startLoaded(this.load, this.#settings);
  }

  /** Mends every way to the server. */
  protected abstract mend(): Promise<void>;

  /** kill -9; what it left is on disk. */
  async kill(): Promise<void> {
    this.kills += 1;
    const { signal, errors, code } = await this.edge.kill();
    if (signal !== "SIGKILL") throw new Error(`it ended by itself (${code}): ${errors}`);
  }

  restart(): void {
    this.edge = this.installation.startLoaded(this.load, this.#settings);
  }

  /** Waits until it has measured its last and its queue is empty, and stops it. */
  async calm(): Promise<Status> {
    const { edge } = this;
    await this.mend();
    await edge.quiet();
    const since = Date.now();
    await eventually(
      "the queue is empty",
      async () => {
        const status = await edge.status();
        return status && Date.parse(status.writtenAt) > since && status.queue.queuedPoints === 0;
      },
      120_000,
    );
    const { code, errors } = await edge.stop();
    if (code !== 0) throw new Error(`it ended with ${code}: ${errors}`);
    const status = await edge.status();
    if (!status) throw new Error("it left no status");
    return status;
  }

  /** See Claim for `droppedAfter`. */
  settle(queue: Status["queue"], droppedAfter?: number): Promise<Accounts> {
    const { installation, load, kills, since } = this;
    const { ledger } = load;
    return settleAccounts({ installation, load, ledger, queue, kills, since, droppedAfter });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]();
  }
}

/** A loaded collector and its way to the server. */
export class Subject extends LoadedSubject<Installation> {
  readonly proxy: NetworkProxy;

  private constructor(
    installation: Installation,
    proxy: NetworkProxy,
    load: Partial<Load>,
    settings: Partial<EdgeSettings>,
  ) {
    super(installation, load, { ...settings, routes: direct(proxy.url) });
    this.proxy = proxy;
  }

  static async start(
    server: AnyServer,
    owner: Owner,
    load: Partial<Load>,
    settings: Partial<EdgeSettings> = {},
  ): Promise<Subject> {
    const proxy = await startProxy(server);
    return new Subject(await install(server, owner), proxy, load, settings);
  }

  protected async mend(): Promise<void> {
    await this.proxy.pass();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.proxy[Symbol.asyncDispose]();
  }
}
