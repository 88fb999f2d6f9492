import type { CollectorOptions, CollectorProcess } from "./collector-process.ts";
import { eventually } from "./eventually.ts";
import { findFreePort } from "./free-port.ts";
import { type Installation, install } from "./installation.ts";
import type { AnyServer, Owner } from "./server.ts";

/** A collector that relays on a port of this machine, which stays its own from run to run. */
export class RelayingCollector implements AsyncDisposable {
  readonly installation: Installation;
  readonly url: string;
  readonly #listen: string;
  readonly #options: Partial<CollectorOptions>;
  process: CollectorProcess;
  /** What agents pin. */
  fingerprint = "";

  private constructor(
    installation: Installation,
    port: number,
    options: Partial<CollectorOptions>,
  ) {
    this.installation = installation;
    this.#listen = `127.0.0.1:${port}`;
    this.url = `https://${this.#listen}`;
    this.#options = options;
    this.process = this.#run();
  }

  #run(): CollectorProcess {
    return this.installation.start({ relayListen: this.#listen, ...this.#options });
  }

  /** Started, enrolled, and listening for agents. */
  static async start(
    server: AnyServer,
    owner: Owner,
    options: Partial<CollectorOptions> = {},
  ): Promise<RelayingCollector> {
    const collector = new RelayingCollector(
      await install(server, owner),
      await findFreePort(),
      options,
    );
    await collector.ready();
    return collector;
  }

  async ready(): Promise<void> {
    await this.installation.connected(this.process);
    this.fingerprint = await eventually("the collector relays", async () => {
      const relay = (await this.process.status())?.relay;
      return relay?.problem === undefined && relay?.publicKeySha256;
    });
  }

  async kill(): Promise<void> {
    await this.process.kill();
  }

  restart(): void {
    this.process = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]();
  }
}
