import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Agent } from "../../gen/lumetry/v1/agent_pb.js";
import { AgentService } from "../../gen/lumetry/v1/agent_service_pb.js";
import { addProfile } from "./agent.ts";
import { EdgeProgram } from "./collector-process.ts";
import { EdgeInstallation } from "./edge-installation.ts";
import { eventually } from "./eventually.ts";
import { type Ending, Program, type ProgramOptions } from "./program.ts";
import type { AnyServer, Owner } from "./server.ts";

/** The agent's program as it is. */
export class AgentProcess extends EdgeProgram {
  constructor(dataDir: string, flags: string[], options?: ProgramOptions) {
    super("agent/main.ts", ["--data-dir", dataDir, ...flags], dataDir, options);
  }
}

/** `lumetry agent status`, as somebody on the machine would ask. */
export function askAgentStatus(dataDir: string, ...more: string[]): Promise<Ending> {
  return new Program("agent/main.ts", ["status", "--data-dir", dataDir, ...more]).ended;
}

export interface AgentOptions extends ProgramOptions {
  /** Where the server is; none when undefined is given. */
  server?: string | undefined;
  caFile?: string | undefined;
  token?: string | undefined;
  /** More of its flags. */
  flags?: string[];
}

/** A host where the agent is installed, with the token of a profile. */
export class AgentInstallation extends EdgeInstallation<Agent> {
  readonly kind = "agent";

  async edgeId(): Promise<string> {
    return eventually("the agent has an id", async () => {
      const { edgeId } = await this.identity().catch((): Record<string, string> => ({}));
      return edgeId;
    });
  }

  /** Starts the agent's program, with its token and straight to the server unless told otherwise. */
  start(options: AgentOptions = {}): AgentProcess {
    const { url, caFile: authority } = this.server;
    const {
      server,
      caFile,
      token,
      flags = [],
    } = { server: url, caFile: authority, token: this.token, ...options };
    const given = [
      ...(server === undefined ? [] : ["--server", server]),
      ...(caFile ? ["--ca", caFile] : []),
      ...(token === undefined ? [] : ["--enrollment-token", token]),
      ...flags,
    ];
    return this.own(new AgentProcess(this.dataDir, given, options));
  }

  async shown(): Promise<Agent> {
    const agentId = await this.edgeId();
    const { agent } = await this.server
      .client(AgentService, this.owner.token)
      .getAgent({ agentId });
    if (!agent) throw new Error(`${agentId} is gone`);
    return agent;
  }
}

/** With a profile of its own, unless a token is given. */
export async function installAgent(
  server: AnyServer,
  owner: Owner,
  token?: string,
): Promise<AgentInstallation> {
  const dataDir = await mkdtemp(path.join(tmpdir(), "lumetry-agent-"));
  const facts = { token: token ?? (await addProfile(server, owner)).token, dataDir };
  return new AgentInstallation(server, owner, facts);
}
