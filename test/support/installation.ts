import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Collector } from "../../gen/lumetry/v1/collector_pb.js";
import { CollectorService } from "../../gen/lumetry/v1/collector_service_pb.js";
import { register } from "./collector.ts";
import { type CollectorOptions, CollectorProcess } from "./collector-process.ts";
import { EdgeInstallation } from "./edge-installation.ts";
import type { AnyServer, Owner } from "./server.ts";

export { direct } from "./edge-installation.ts";

/** A registration at a server, and the directory where the collector is installed. */
export class Installation extends EdgeInstallation<Collector> {
  readonly kind = "collector";
  readonly collectorId: string;

  constructor(
    server: AnyServer,
    owner: Owner,
    facts: { collectorId: string; token: string; dataDir: string },
  ) {
    super(server, owner, facts);
    this.collectorId = facts.collectorId;
  }

  async edgeId(): Promise<string> {
    return this.collectorId;
  }

  /** Starts the collector's program, with its token and straight to the server unless told otherwise. */
  start(options: Partial<CollectorOptions> = {}): CollectorProcess {
    const { url, caFile } = this.server;
    const { dataDir, token } = this;
    const { server = url } = options;
    const flags = server.startsWith("http:") ? ["--allow-cleartext", "true"] : [];
    return this.own(new CollectorProcess({ server, dataDir, caFile, token, flags, ...options }));
  }

  async shown(): Promise<Collector> {
    const { collector } = await this.server
      .client(CollectorService, this.owner.token)
      .getCollector({ collectorId: this.collectorId });
    if (!collector) throw new Error(`${this.collectorId} is gone`);
    return collector;
  }
}

export async function install(server: AnyServer, owner: Owner): Promise<Installation> {
  const facts = await register(server, owner);
  const dataDir = await mkdtemp(path.join(tmpdir(), "lumetry-collector-"));
  return new Installation(server, owner, { ...facts, dataDir });
}
