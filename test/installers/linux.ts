/** Real installs by the shown command, on machines that boot systemd. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { addProfile } from "../support/agent.ts";
import { setUp, startTestServer } from "../support/server.ts";
import { startDownloads } from "./downloads.ts";
import { arm64Scenarios } from "./linux/arm64.ts";
import { collectorScenarios } from "./linux/collector.ts";
import { faultScenarios } from "./linux/faults.ts";
import { journeyScenarios } from "./linux/journey.ts";
import { networkScenarios } from "./linux/network.ts";
import { serverScenarios } from "./linux/server.ts";
import type { Stage } from "./linux/stage.ts";
import { release } from "./releases.ts";
import type { Layer } from "./scenario.ts";

/** A name that no machine knows, and the server's certificate has. */
const HIDDEN = "only-the-proxy-knows.test";

export const linux: Layer = {
  name: "Linux, on a booted systemd",
  groups: ["life", "fault", "network", "collector", "server", "arm64"],
  tools: {
    debootstrap: "debootstrap",
    "systemd-nspawn": "systemd-container",
    "qemu-aarch64-static": "qemu-user-static",
  },
  async open() {
    await using opened = new AsyncDisposableStack();
    const folder = await mkdtemp(path.join(tmpdir(), "lumetry-releases-"));
    opened.defer(() => rm(folder, { recursive: true }));
    const packages = path.join(folder, "served");
    await release(packages, "1.0.0", { components: ["agent", "collector"] });
    const server = opened.use(
      await startTestServer({
        packagesDir: packages,
        heartbeatInterval: 1000,
        tlsHostnames: ["localhost", HIDDEN],
      }),
    );
    const owner = await setUp(server);
    const stage: Stage = {
      server,
      owner,
      packages,
      hiddenName: HIDDEN,
      downloads: opened.use(await startDownloads(packages)),
      profile: (more) => addProfile(server, owner, more),
      async script() {
        const { port } = new URL(server.url);
        const text = await readFile(path.join(packages, "install.sh"), "utf8");
        return text
          .replace(/^BASE_URL=''$/m, `BASE_URL='https://localhost:${port}/packages'`)
          .replace(/^CA=''$/m, `CA='${server.ca.trim()}'`);
      },
    };
    const machines = opened.use(new AsyncDisposableStack());
    const scenarios = Object.entries({
      life: journeyScenarios(stage, machines),
      fault: faultScenarios(stage),
      network: networkScenarios(stage),
      collector: collectorScenarios(stage),
      server: serverScenarios(),
      arm64: arm64Scenarios(stage),
    }).flatMap(([group, list]) =>
      list.map(({ name, run }) => ({ name: `${group}: ${name}`, run })),
    );
    const stack = opened.move();
    return { scenarios, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
};
