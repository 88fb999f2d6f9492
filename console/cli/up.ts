import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { aborted, stopSignal } from "../../lib/signals.ts";
import type { Cli } from "./cli.ts";
import { CliError } from "./errors.ts";
import { chooseAgent, waitForAgent, waitForRelay } from "./up/agent.ts";
import { type Child, logTail, startChild } from "./up/children.ts";
import {
  chooseCollector,
  findCollector,
  type Watched,
  waitForHeartbeat,
  waitForPoints,
} from "./up/collector.ts";
import { signInOrSetUp, waitForSignIn } from "./up/owner.ts";
import { choosePort, chooseRelayPort, claim, HOST, isFree, prepareDirectory } from "./up/place.ts";
import { makeProgress } from "./up/progress.ts";
import { noteUpState, readUpState, writeUpState } from "./up/state.ts";
import { nextSteps, signInWords } from "./up/words.ts";

/** Of the environment, what would make the children talk to something else. */
const NOT_PASSED_ON =
  /^LUMETRY_(SERVER|CA|TOKEN|PASSWORD|NEW_PASSWORD|ENROLLMENT_TOKEN(_FILE)?|SETTINGS_FILE|COLLECTOR(_FINGERPRINT)?|DIRECT|CLUSTER(_ID)?|RELAY_\w+)$/;

/** What `npm run package` has made, which the server can then hand to hosts. */
const PACKAGES = fileURLToPath(new URL("../../dist/packages", import.meta.url));

const packagesFlag = (environment: Record<string, string | undefined>) =>
  environment.LUMETRY_PACKAGES_DIR === undefined && existsSync(path.join(PACKAGES, "SHA256SUMS"))
    ? { "packages-dir": PACKAGES }
    : {};

/** What `lumetry up` has to say once it was asked to stop. */
class Stopping extends Error {}

/**
 * Runs a server, a collector of this machine and an agent behind it until SIGINT or SIGTERM. The first time, it sets
 * everything up through the public API; later it goes on where it was.
 */
export async function up(
  cli: Cli,
  options: { directory: string; port?: number | undefined },
): Promise<void> {
  const stop = AbortSignal.any([stopSignal(), parentGone(cli.environment)]);
  const directory = prepareDirectory(path.resolve(cli.directory, options.directory, ".lumetry"));
  using _claim = claim(directory);
  const progress = makeProgress(process.stdout, cli.terminal);
  const environment = Object.fromEntries(
    Object.entries(cli.environment).filter(([name]) => !NOT_PASSED_ON.test(name)),
  );
  const child = (
    program: "server" | "collector" | "agent",
    flags: Record<string, string>,
    more = {},
  ) =>
    startChild({
      name: `the ${program}`,
      program,
      flags,
      environment: { ...environment, ...more },
      logFile: path.join(directory, `${program}.log`),
    });

  const children = new AsyncDisposableStack();
  /** Whatever is waited for ends early when somebody asks to stop or a child dies. */
  const during = <T>(running: Child[], work: Promise<T>): Promise<T> =>
    Promise.race([
      work,
      aborted(stop).then((): never => {
        throw new Stopping();
      }),
      ...running.map(unexpectedEnd),
    ]);
  try {
    const state = readUpState(directory);
    const startServer = async (last: number | undefined) => {
      const port = await choosePort(options.port, last);
      const server = children.use(
        child("server", {
          listen: `${HOST}:${port}`,
          "data-dir": path.join(directory, "server"),
          "ready-format": "json",
          ...packagesFlag(environment),
        }),
      );
      try {
        return { server, port, ready: await during([server], readReady(server)) };
      } catch (error) {
        // Somebody else was faster at the port: it was free a moment ago.
        const isTaken = error instanceof CliError && !(await isFree(port));
        if (!isTaken || options.port !== undefined) throw error;
        return undefined;
      }
    };
    const { server, port, ready } = await progress.step(
      "Starting the server and its database",
      async () => {
        for (;;) {
          const started = await startServer(state.port);
          if (started) return started;
        }
      },
      (started) => `The server is ready at ${started.ready.url}`,
    );
    writeUpState(directory, { ...state, port });

    const place = { url: ready.url, caFile: ready.caFile };
    const { setupSecret } = ready;
    let owner = await progress.step(
      "Signing in",
      () => during([server], signInOrSetUp(cli, { directory, place, setupSecret })),
      ({ words }) => words,
    );
    if (
      owner.session === undefined &&
      !existsSync(path.join(directory, "collector", "identity.json"))
    ) {
      progress.say(signInWords(cli));
      owner = await progress.step(
        "Waiting for somebody to sign in",
        () => during([server], waitForSignIn(cli, { directory, place, signal: stop })),
        ({ words }) => words,
      );
    }

    const { session } = owner;
    const chosen = await during(
      [server],
      chooseCollector(cli, { directory, place, session, state: { ...state, port } }),
    );
    const relayPort = await chooseRelayPort(state.relayPort);
    noteUpState(directory, { relayPort });
    const relay = `${HOST}:${relayPort}`;
    const collector = children.use(
      child(
        "collector",
        {
          server: ready.url,
          "data-dir": path.join(directory, "collector"),
          "relay-listen": relay,
          "relay-url": `https://${relay}`,
          ...(ready.caFile !== undefined && { ca: ready.caFile }),
        },
        // By environment, since everybody on this machine can read a command line.
        chosen.token === undefined ? {} : { LUMETRY_ENROLLMENT_TOKEN: chosen.token },
      ),
    );
    const running = [server, collector];
    const startedAt = cli.now();
    const startAgent = async (watched?: Watched): Promise<boolean> => {
      const { connection, collectorId } = watched ?? {};
      const behind =
        connection && collectorId ? await findCollector(connection, collectorId) : undefined;
      const chosen = await chooseAgent(connection, directory, behind?.zoneId ?? "");
      const { relayKey } = readUpState(directory);
      if (!chosen || relayKey === undefined) return false;
      running.push(
        children.use(
          child(
            "agent",
            {
              server: ready.url,
              "data-dir": path.join(directory, "agent"),
              collector: `https://${relay}`,
              "collector-fingerprint": relayKey,
              ...(ready.caFile !== undefined && { ca: ready.caFile }),
            },
            chosen.token === undefined ? {} : { LUMETRY_ENROLLMENT_TOKEN: chosen.token },
          ),
        ),
      );
      return true;
    };
    if (session !== undefined && chosen.collectorId !== undefined) {
      const connection = cli.connect({
        ...place,
        credential: { secret: session, from: directory },
      });
      const watched = {
        connection,
        collectorId: chosen.collectorId,
        since: startedAt,
        signal: stop,
      };
      await progress.step(
        "Waiting for the collector's first heartbeat",
        () => during(running, waitForHeartbeat(watched)),
        (words) => (chosen.token === undefined ? words : `${words}; it has enrolled`),
      );
      await progress.step(
        "Waiting for its first points",
        () => during(running, waitForPoints(watched)),
        (words) => words,
      );
      await progress.step(
        "Starting an agent behind it",
        async () => {
          await during(running, waitForRelay(watched, directory));
          const isStarted = await during(running, startAgent(watched));
          return isStarted
            ? during(running, waitForAgent(watched, directory))
            : "No agent was started: the collector does not relay; collector.log should say why";
        },
        (words) => words,
      );
    } else {
      const isStarted = await during(running, startAgent());
      const what = isStarted ? "The collector and the agent were" : "The collector was";
      progress.say(`${what} started; nobody is signed in to watch.`);
    }

    progress.say(nextSteps(cli, { directory, place, owner }));
    owner.shown();
    await during(running, new Promise<never>(() => {}));
  } catch (error) {
    if (!(error instanceof Stopping)) throw error;
  } finally {
    await stopAll(children, progress, stop.aborted);
  }
}

const LOOK_AFTER_MS = 500;

/** npm ends without a word to what it started when it is sent SIGTERM; its end is the wish to stop. */
function parentGone(environment: Record<string, string | undefined>): AbortSignal {
  const gone = new AbortController();
  const parent = process.ppid;
  if (environment.npm_lifecycle_event !== undefined) {
    const timer = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(timer);
      gone.abort("npm has ended");
    }, LOOK_AFTER_MS);
    timer.unref();
  }
  return gone.signal;
}

async function stopAll(
  children: AsyncDisposableStack,
  progress: ReturnType<typeof makeProgress>,
  wanted: boolean,
): Promise<void> {
  if (wanted) progress.say("");
  await progress.step(
    "Stopping agent, collector and server",
    () => children.disposeAsync(),
    () => "Everything is stopped",
  );
}

/** Rejects when a child ends that nobody asked to. */
async function unexpectedEnd({ name, logFile, ended }: Child): Promise<never> {
  const { code, signal } = await ended;
  const how = signal ? `was killed by ${signal}` : `ended with code ${code}`;
  const lines = logTail(logFile, 8).map((line) => `  ${line}`);
  throw new CliError(`${name.charAt(0).toUpperCase()}${name.slice(1)} ${how}.`, {
    hint: `The last lines of ${logFile}:\n${lines.join("\n")}`,
  });
}

interface Ready {
  url: string;
  caFile: string | undefined;
  setupSecret: string | undefined;
}

async function readReady(server: Child): Promise<Ready> {
  for (let line = await server.nextLine(); line !== undefined; line = await server.nextLine()) {
    try {
      const { ready, url, caFile, setupSecret } = JSON.parse(line);
      if (ready === true) return { url, caFile, setupSecret };
    } catch {
      // Some other line.
    }
  }
  // Its end is told by whoever waits for it.
  return new Promise<never>(() => {});
}
