import type { addProfile } from "../../support/agent.ts";
import type { Owner, TestServer } from "../../support/server.ts";
import type { Downloads } from "../downloads.ts";
import type { Machine } from "../machine.ts";
import type { Ended } from "../shell.ts";

/** What scenarios on Linux share. */
export interface Stage {
  server: TestServer;
  owner: Owner;
  /** The directory of packages that the server hands out. */
  packages: string;
  /** A name of the server's that machines cannot look up. */
  hiddenName: string;
  downloads: Downloads;
  profile(more?: Parameters<typeof addProfile>[2]): ReturnType<typeof addProfile>;
  /** The installer as the server hands it out. */
  script(): Promise<string>;
}

/** Runs the installer as "curl … | sudo bash -s -- FLAGS" does. */
export async function install(
  stage: Stage,
  machine: Machine,
  flags: string,
  environment?: string[],
): Promise<Ended> {
  const input = await stage.script();
  return machine.run(`bash -s -- ${flags}`, { input, ...(environment && { environment }) });
}

/** What a machine is made of where the installer may have been: to see that nothing has changed. */
export const traces = (machine: Machine) =>
  machine.must(
    "find /opt /etc /var/lib /usr/local /run/systemd/system ! -newermt @0 -o -print 2>/dev/null | grep -i lumetry | sort; getent passwd | grep lumetry; getent group | grep lumetry; true",
  );

export const status = async (machine: Machine, service = "lumetry-agent") => {
  const { output } = await machine.run(`${service} status --json`);
  return JSON.parse(output || "{}");
};
