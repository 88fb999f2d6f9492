/** What a host is told before anything is spent, and how its settings are kept. */
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type ExecutionContext } from "ava";
import { installAgent } from "../support/agent-installation.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpProxy } from "../support/http-proxy.ts";
import { Program } from "../support/program.ts";
import { setUp, startTestServer } from "../support/server.ts";

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "lumetry-doctor-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const ask = (...parameters: string[]) => new Program("agent/main.ts", parameters).ended;

test("doctor finds names, TLS, the way through a proxy, the clock and the disk as they are, and spends nothing", async (t) => {
  await using server = await startTestServer({ tlsHostnames: ["hidden.test"] });
  await using proxy = await startHttpProxy();
  const folder = await folderOf(t);
  const dataDir = path.join(folder, "not", "there", "yet");
  const doctor = (...more: string[]) => ask("doctor", "--data-dir", dataDir, ...more);
  const trusting = ["--ca", server.caFile];
  const { port } = new URL(server.url);

  const well = await doctor("--server", server.url, ...trusting);
  t.is(well.code, 0, well.output + well.errors);
  t.regex(well.output, /^ok +disk .* free for .*\nok +server .*it answers, over TLS\nok +clock /);
  await t.throwsAsync(stat(dataDir), { code: "ENOENT" });

  const stranger = await doctor("--server", server.url);
  t.is(stranger.code, 1);
  t.regex(
    stranger.output,
    /failed +server .*authority that is not trusted here: trust it with --ca/,
  );
  t.regex(stranger.output, /Nothing was spent or changed/);

  const hidden = ["--server", `https://hidden.test:${port}`, ...trusting];
  t.regex((await doctor(...hidden)).output, /the name hidden\.test cannot be looked up/);
  const through = await doctor(...hidden, "--proxy", `http://127.0.0.1:${proxy.port}`);
  t.is(through.code, 0, through.output);
  t.regex(through.output, /by the proxy 127\.0\.0\.1:\d+\): it answers/);
  t.is(proxy.asked[0]?.place, `hidden.test:${port}`);
  const noProxy = await doctor(...hidden, "--proxy", "http://127.0.0.1:1");
  t.regex(noProxy.output, /the proxy 127\.0\.0\.1:1 cannot be reached/);

  // One way is enough; the other is told of.
  const half = await doctor(
    "--server",
    server.url,
    ...trusting,
    "--collector",
    "https://127.0.0.1:1",
  );
  t.is(half.code, 0);
  t.regex(half.output, /warning +collector .*ECONNREFUSED/);
});

test("an agent works through a proxy, and its token's file goes once it has enrolled", async (t) => {
  await using server = await startTestServer({ tlsHostnames: ["hidden.test"] });
  const owner = await setUp(server);
  await using proxy = await startHttpProxy();
  await using agent = await installAgent(server, owner);
  const tokenFile = path.join(agent.dataDir, "enrollment-token");
  await writeFile(tokenFile, agent.token, { mode: 0o600 });
  const { port } = new URL(server.url);
  const process = agent.start({
    server: `https://hidden.test:${port}`,
    token: undefined,
    flags: [
      "--proxy",
      `http://us%65r:word@127.0.0.1:${proxy.port}`,
      "--enrollment-token-file",
      tokenFile,
    ],
  });
  await eventually("it is connected", async () => {
    const status = JSON.parse(
      await readFile(path.join(agent.dataDir, "status.json"), "utf8").catch(() => "{}"),
    );
    return status.state === "connected";
  });
  await t.throwsAsync(stat(tokenFile), { code: "ENOENT" });
  t.is(proxy.asked[0]?.credentials, `Basic ${Buffer.from("user:word").toString("base64")}`);
  await process.stop();
});

test("configure keeps what is not named, tells what has changed, and leaves the file alone when a value will not do", async (t) => {
  const file = path.join(await folderOf(t), "settings.json");
  const configure = (...more: string[]) => ask("configure", "--settings-file", file, ...more);
  const first = await configure(
    "--server",
    "https://a.example",
    "--proxy",
    "http://u:se@cret@p:3128",
  );
  t.is(first.output, "server is 'https://a.example'\nproxy is 'http://…@p:3128'\n");
  t.is((await stat(file)).mode & 0o777, 0o640);
  const second = await configure("--server", "https://b.example", "--remove", "proxy");
  t.regex(
    second.output,
    /^server is 'https:\/\/b\.example', it was 'https:\/\/a\.example'\nproxy is no longer set/,
  );
  const kept = await readFile(file, "utf8");
  for (const [flags, words] of [
    [["--server", "nonsense"], /--server: 'nonsense' is not a URL/],
    [["--cluster", "a", "--cluster-id", "b"], /give one of them/],
    [["--enrollment-token", "lmtae_x"], /[Uu]nknown option/],
    [["--remove", "nothing"], /there is no such setting/],
    [["--server", "http://a.example"], /is not encrypted/],
    [["--proxy", "http://u:100%@p:3128"], /--proxy: 'http:\/\/…@p:3128' has a % .* write % as %25/],
    [["--proxy", "u:secret@p:3128"], /--proxy: 'u:…@p:3128' is no address of a proxy/],
    [["--ca", file], /settings\.json holds no certificate in PEM form/],
    [["--ca", "/not/there"], /--ca: ENOENT/],
    [["--ca", "/not/there", "--ca-source", file], /settings\.json holds no certificate/],
  ] as const) {
    const { code, errors } = await configure(...flags);
    t.is(code, 2, errors);
    t.notRegex(errors, /secret|100%/);
    t.regex(errors, words);
    t.is(await readFile(file, "utf8"), kept);
  }
  t.is((await configure("--server", "https://b.example")).output, "");
  const empty = await configure("--cluster", "", "--cluster-id", "cls.anvmbwebwx");
  t.is(empty.code, 0, "an empty cluster is none");
});
