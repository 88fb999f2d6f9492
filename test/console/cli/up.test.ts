import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { ListAgentsResponseSchema } from "../../../gen/lumetry/v1/agent_service_pb.js";
import { ListCollectorsResponseSchema } from "../../../gen/lumetry/v1/collector_service_pb.js";
import { processIdentity } from "../../../lib/process.ts";
import { LUMETRY, openShell, type Shell } from "../../support/cli.ts";

/** `lumetry up`, running, with all that it has printed. */
interface Running {
  child: ChildProcess;
  printed(): string;
  /** Waits until it prints something. */
  until(pattern: RegExp): Promise<string>;
  ended: Promise<number | null>;
}

function startUp(shell: Shell, directory: string, args: string[] = []): Running {
  const child = spawn(process.execPath, [LUMETRY, "up", ...args], {
    cwd: directory,
    env: { ...shell.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const heard = (chunk: Buffer) => {
    text += chunk;
    child.emit("heard");
  };
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  const ended = once(child, "close").then(([code]) => code as number | null);
  const until = async (pattern: RegExp) => {
    for (;;) {
      const match = pattern.exec(text);
      if (match) return match[1] ?? "";
      const over = await Promise.race([once(child, "heard"), ended.then(() => "over" as const)]);
      if (over === "over" && !pattern.test(text)) throw new Error(`it ended:\n${text}`);
    }
  };
  return { child, printed: () => text, until, ended };
}

/** A folder that the unprivileged user of a database of root's can get to. */
async function makeProject(shell: Shell): Promise<string> {
  await chmod(shell.home, 0o711);
  const directory = path.join(shell.home, "project");
  await mkdir(directory);
  return directory;
}

/** Ends it like a terminal would, and then some: npm may pass on what the terminal sends as well. */
async function interrupt(t: ExecutionContext, running: Running): Promise<void> {
  running.child.kill("SIGINT");
  running.child.kill("SIGINT");
  t.is(await running.ended, 0, running.printed());
  t.regex(running.printed(), /✓ Everything is stopped/);
}

async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as net.AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

const isRunning = (pid: number) => processIdentity(pid) !== undefined;

async function accepts(url: string): Promise<boolean> {
  const socket = net.connect({ port: Number(new URL(url).port), host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test("one command starts everything, goes on where it was, and leaves nothing behind", async (t) => {
  t.timeout(300_000); // Others may load this machine.
  await using shell = await openShell();
  const directory = await makeProject(shell);

  const first = startUp(shell, directory, ["--port", String(await freePort())]);
  try {
    const password = await first.until(/password {2}(\S+) +\(shown this once only\)/);
    const url = await first.until(/✓ The server is ready at (\S+)/);
    t.regex(password, /^([a-z]{5}-){3}[a-z]{5}$/);
    for (const step of [
      /✓ The workspace "Main" and its owner/,
      /✓ The collector ".+" reports; it has enrolled/,
      /✓ The agent ".+" reports through the collector/,
    ]) {
      t.regex(first.printed(), step);
    }
    t.regex(first.printed(), /✓ Points arrive: \d+ metrics in \d+ time series/);
    t.is((await stat(path.join(directory, ".lumetry/cli.json"))).mode & 0o777, 0o600);

    // In this folder, commands work without any more ado.
    const { collectors } = await shell.ask(ListCollectorsResponseSchema, ["collectors", "list"], {
      directory,
    });
    t.is(collectors.length, 1);
    const { agents } = await shell.ask(ListAgentsResponseSchema, ["agents", "list"], { directory });
    t.is(agents.length, 1);
    t.is(agents[0]?.path?.collectorId, collectors[0]?.collectorId);
    t.is(agents[0]?.zoneId, collectors[0]?.zoneId);
    const chart = await shell.lumetry(["metrics", "query", "system.cpu.load_average.1m"], {
      directory,
    });
    t.regex(chart.stdout, /^system\.cpu\.load_average\.1m · threads/, chart.stderr);

    const again = await shell.lumetry(["up"], { directory });
    t.is(again.code, 1);
    t.regex(again.stderr, /is running in \S+ already, as process \d+\./);

    await interrupt(t, first);
    t.false(await accepts(url));
    t.notRegex(
      await readFile(path.join(directory, ".lumetry/server.log"), "utf8"),
      /lmt[a-z]{2}_\w/,
    );

    const second = startUp(shell, directory);
    try {
      t.is(await second.until(/✓ The server is ready at (\S+)/), url);
      await second.until(/✓ The collector ".+" reports {2}/);
      await second.until(/✓ The agent ".+" reports through the collector/);
      await second.until(/Ctrl-C stops everything/);
      t.notRegex(second.printed(), /password/);
      const { collectors: same } = await shell.ask(
        ListCollectorsResponseSchema,
        ["collectors", "list"],
        { directory },
      );
      t.is(same[0]?.collectorId, collectors[0]?.collectorId);
      const { agents: sameAgents } = await shell.ask(ListAgentsResponseSchema, ["agents", "list"], {
        directory,
      });
      t.deepEqual(
        sameAgents.map(({ agentId }) => agentId),
        agents.map(({ agentId }) => agentId),
      );
      // Whatever dies takes the rest along, and is told about.
      const { stdout } = await shell.lumetry(
        ["collector", "status", "--json", "--data-dir", ".lumetry/collector"],
        { directory },
      );
      process.kill(JSON.parse(stdout).pid, "SIGKILL");
      t.is(await second.ended, 1);
      t.regex(second.printed(), /The collector was killed by SIGKILL\.\nThe last lines of /);
      t.false(await accepts(url));
    } finally {
      second.child.kill("SIGKILL");
    }

    // What was lost is made anew, once somebody shows that they may.
    await rm(path.join(directory, ".lumetry/cli.json"));
    await rm(path.join(directory, ".lumetry/collector"), { recursive: true });
    const third = startUp(shell, directory);
    try {
      await third.until(/Sign in in another terminal/);
      const login = ["login", "--email", "owner@localhost"];
      await shell.lumetry(login, { directory, input: `${password}\n` });
      await third.until(/✓ The collector ".+-2" reports; it has enrolled/);
      await interrupt(t, third);
    } finally {
      third.child.kill("SIGKILL");
    }
  } finally {
    first.child.kill("SIGKILL");
  }
});

test("even a kill that cannot be caught leaves nothing running", async (t) => {
  await using shell = await openShell();
  const directory = await makeProject(shell);
  const running = startUp(shell, directory);
  try {
    await running.until(/✓ The server is ready at (\S+)/);
    const log = await readFile(path.join(directory, ".lumetry/server.log"), "utf8");
    const pid = Number(/"pid":(\d+),"msg":"the server is ready"/.exec(log)?.[1]);
    t.true(isRunning(pid));
    running.child.kill("SIGKILL");
    await running.ended;
    while (isRunning(pid)) await setTimeout(50);
    t.false(isRunning(pid));
  } finally {
    running.child.kill("SIGKILL");
  }
});

test("a port that is taken while the server starts gives way to the next", async (t) => {
  await using shell = await openShell();
  const directory = await makeProject(shell);
  const port = await freePort();
  await mkdir(path.join(directory, ".lumetry"), { mode: 0o711 });
  await writeFile(path.join(directory, ".lumetry/up.json"), JSON.stringify({ port }));
  const running = startUp(shell, directory);
  const other = net.createServer();
  try {
    // The port was looked at before the log is opened; the server opens it last, after its database.
    const log = path.join(directory, ".lumetry/server.log");
    while (!existsSync(log)) await setTimeout(5);
    other.listen(port, "127.0.0.1");
    await once(other, "listening");
    const url = await running.until(/✓ The server is ready at (\S+)/);
    t.true(Number(new URL(url).port) > port);
    await running.until(/Ctrl-C stops everything/);
    await interrupt(t, running);
  } finally {
    other.close();
    running.child.kill("SIGKILL");
  }
});

test("a port that is taken is said to be", async (t) => {
  await using shell = await openShell();
  const other = net.createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as net.AddressInfo;
  const { code, stderr } = await shell.lumetry(["up", "--port", String(port)]);
  other.close();
  t.is(code, 1);
  t.is(stderr.split("\n")[0], `lumetry: Port ${port} of 127.0.0.1 is in use.`);
});
