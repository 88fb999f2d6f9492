import { type AgentInstallation, installAgent } from "../support/agent-installation.ts";
import { eventually } from "../support/eventually.ts";
import type { Load } from "../support/load.ts";
import { type NetworkProxy, startProxy } from "../support/proxy.ts";
import { RelayingCollector } from "../support/relaying-collector.ts";
import type { AnyServer, Owner } from "../support/server.ts";
import { LoadedSubject } from "./subject.ts";

/** The network between the three, each piece in a test's hands. */
export interface Ways {
  agentToCollector: NetworkProxy;
  agentToServer: NetworkProxy;
  collectorToServer: NetworkProxy;
}

/** A loaded agent that prefers a collector, that collector, and every way between them and the server. */
export class AgentSubject extends LoadedSubject<AgentInstallation> {
  readonly collector: RelayingCollector;
  readonly ways: Ways;

  private constructor(
    installation: AgentInstallation,
    collector: RelayingCollector,
    ways: Ways,
    load: Partial<Load>,
  ) {
    super(installation, load, {
      routes: [
        { kind: "collector", url: ways.agentToCollector.url },
        { kind: "direct", url: ways.agentToServer.url },
      ],
      pins: [collector.fingerprint],
    });
    this.collector = collector;
    this.ways = ways;
  }

  static async begin(server: AnyServer, owner: Owner, load: Partial<Load>): Promise<AgentSubject> {
    const collectorToServer = await startProxy(server);
    const collector = await RelayingCollector.start(server, owner, {
      server: collectorToServer.url,
    });
    const agentToCollector = await startProxy(collector);
    const ways = { collectorToServer, agentToCollector, agentToServer: await startProxy(server) };
    return new AgentSubject(await installAgent(server, owner), collector, ways, load);
  }

  /** Settles once the agent takes this way and is in good terms with the server by it. */
  async isOn(kind: "collector" | "direct"): Promise<void> {
    const since = Date.now();
    await eventually(
      `the agent is on ${kind === "direct" ? "the direct way" : "its collector's way"}`,
      async () => {
        const { edge } = this;
        if (edge.ending) throw new Error(`it ended: ${edge.errors}`);
        const status = await edge.status();
        const route = status?.routes.find(({ inUse }) => inUse);
        return (
          status?.state === "connected" &&
          route?.kind === kind &&
          Date.parse(status.lastHeartbeatAt ?? "") >= since
        );
      },
      180_000,
    );
  }

  protected async mend(): Promise<void> {
    for (const way of Object.values(this.ways)) await way.pass();
    if (this.collector.process.ending) this.collector.restart();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.collector[Symbol.asyncDispose]();
    for (const way of Object.values(this.ways)) await way[Symbol.asyncDispose]();
  }
}
