import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import test from "ava";
import type { Pair } from "../../lib/certificates/pair.ts";
import { type Log, silentLog } from "../../lib/log.ts";
import { SettingsError } from "../../lib/settings.ts";
import { issueCertificate, makeAuthority } from "../../server/certificates/authority.ts";
import { type Certificates, loadCertificates } from "../../server/certificates.ts";
import { makeManualClock } from "../support/manual-clock.ts";

const DAY = 86_400_000;
let root: string;
let authority: Pair;

test.before(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), "lumetry-certificates-"));
  authority = await makeAuthority("test", Date.now() - 5 * 365 * DAY);
});
test.after.always(() => rm(root, { recursive: true, force: true }));

let folders = 0;
async function newFolder(): Promise<string> {
  folders += 1;
  const folder = path.join(root, `${folders}`);
  await mkdir(folder);
  return folder;
}

const issue = (now = Date.now()) => issueCertificate(authority, ["localhost"], now);

async function writePair(folder: string, { cert, key }: Pair) {
  const files = { certFile: path.join(folder, "tls.crt"), keyFile: path.join(folder, "tls.key") };
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key);
  return files;
}

/** Puts a file in another's place, never to be seen half-written. */
async function replace(file: string, text: string) {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

function recordingLog() {
  const warnings: string[] = [];
  const warn = (fields: object, message: string) => {
    const { err } = fields as { err?: Error };
    warnings.push(`${message} ${err?.message ?? ""}`);
  };
  const log: Log = { ...silentLog, warn, error: warn };
  return { log, warnings };
}

/** Files are looked at on the clock, the look itself takes real time. */
async function until(isSo: () => boolean, tick: () => void) {
  while (!isSo()) {
    tick();
    await sleep(5);
  }
}

/** Serves the certificates as the listener does and returns what a client that trusts `ca` sees. */
async function shakeHands(certificates: Certificates, ca: string, servername = "localhost") {
  const server = tls.createServer(certificates.current, (socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    return await new Promise<string>((resolve, reject) => {
      const socket = tls.connect({ port, host: "127.0.0.1", ca, servername }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
      socket.on("error", reject);
    });
  } finally {
    server.close();
  }
}

const serialOf = (pair: Pair) => new X509Certificate(pair.cert).serialNumber;

test("without files a certificate is made that clients trust by its authority", async (t) => {
  const directory = await newFolder();
  const hostnames = ["metrics.example.com", "192.0.2.7", "2001:DB8::0:1"];
  using certificates = await loadCertificates({ directory, hostnames, log: silentLog });
  const { caFile = "", current } = certificates;
  t.is(caFile, path.join(directory, "tls", "ca.crt"));
  const ca = await readFile(caFile, "utf8");
  for (const name of ["localhost", os.hostname(), "metrics.example.com"]) {
    t.is(await shakeHands(certificates, ca, name), serialOf(current), name);
  }
  const certificate = new X509Certificate(current.cert);
  for (const address of ["127.0.0.1", "::1", "192.0.2.7", "2001:db8::1"]) {
    t.truthy(certificate.checkIP(address), address);
  }
  t.is(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  await t.throwsAsync(shakeHands(certificates, ca, "other.example.com"), {
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
  await t.throwsAsync(shakeHands(certificates, authority.cert), {
    code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  });
  const modes = ["ca.crt", "ca.key", "server.pem"].map(async (name) => {
    return ((await stat(path.join(directory, "tls", name))).mode & 0o777).toString(8);
  });
  t.deepEqual(await Promise.all(modes), ["644", "600", "600"]);
});

test("a locally made certificate stays the same from start to start, until the names change", async (t) => {
  const directory = await newFolder();
  const load = async (...hostnames: string[]) => {
    using certificates = await loadCertificates({ directory, hostnames, log: silentLog });
    return {
      serial: serialOf(certificates.current),
      ca: await readFile(certificates.caFile ?? "", "utf8"),
    };
  };
  const first = await load("a.example", "2001:db8:0::1");
  t.deepEqual(await load("2001:db8::1", "A.example.", "localhost"), first);
  const more = await load("a.example", "b.example");
  t.not(more.serial, first.serial);
  t.is(more.ca, first.ca);
  t.not((await load("b.example")).serial, more.serial);
  await t.throwsAsync(load("not a name"), { instanceOf: SettingsError, message: /"not a name"/ });
});

test("a locally made certificate is renewed while the server runs; its authority stays", async (t) => {
  const directory = await newFolder();
  const clock = makeManualClock();
  const { log, warnings } = recordingLog();
  using certificates = await loadCertificates({ directory, hostnames: [], log, clock });
  const first = certificates.current;
  const ca = await readFile(certificates.caFile ?? "", "utf8");
  const changes: Pair[] = [];
  certificates.onChange((pair) => changes.push(pair));
  clock.advance(334 * DAY);
  await sleep(50);
  t.is(changes.length, 0);
  await until(
    () => changes.length > 0,
    () => clock.advance(DAY),
  );
  t.not(serialOf(certificates.current), serialOf(first));
  t.deepEqual(changes, [certificates.current]);
  t.is(await readFile(certificates.caFile ?? "", "utf8"), ca);
  t.true(new X509Certificate(certificates.current.cert).verify(new X509Certificate(ca).publicKey));
  t.deepEqual(warnings, []);
});

test("a damaged local certificate is made anew, an authority that is lost with a warning", async (t) => {
  const directory = await newFolder();
  const file = (name: string) => path.join(directory, "tls", name);
  const { log, warnings } = recordingLog();
  const load = async () => {
    using certificates = await loadCertificates({ directory, hostnames: [], log });
    return shakeHands(certificates, await readFile(certificates.caFile ?? "", "utf8"));
  };
  const first = await load();
  await writeFile(file("ca.key"), "");
  t.is(await load(), first, "the authority's key is not needed before a renewal");
  await writeFile(file("server.pem"), (await readFile(file("server.pem"), "utf8")).slice(0, 300));
  t.not(await load(), first);
  t.is(warnings.length, 1);
  t.regex(warnings[0] ?? "", /clients must trust the new one/);
});

test("given files are served, and re-read when they are written, renamed or linked anew", async (t) => {
  const folder = await newFolder();
  const clock = makeManualClock();
  const files = await writePair(folder, await issue());
  const { log, warnings } = recordingLog();
  using certificates = await loadCertificates({
    ...files,
    directory: folder,
    hostnames: [],
    log,
    clock,
  });
  t.is(certificates.caFile, undefined);
  const changes: string[] = [];
  certificates.onChange((pair) => changes.push(serialOf(pair)));
  const becomes = async (pair: Pair) => {
    await until(
      () => certificates.current.cert === pair.cert,
      () => clock.advance(2_000),
    );
    t.is(await shakeHands(certificates, authority.cert), serialOf(pair));
    t.is(changes.at(-1), serialOf(pair));
  };

  const written = await issue();
  await writePair(folder, written);
  await becomes(written);

  const renamed = await issue();
  const aside = await writePair(await newFolder(), renamed);
  await rename(aside.certFile, files.certFile);
  await rename(aside.keyFile, files.keyFile);
  await becomes(renamed);

  // As mounted secrets do: the files are links through a link to a folder, which is swapped.
  const [one, two] = [await issue(), await issue()];
  const [folderOne, folderTwo] = [await newFolder(), await newFolder()];
  await writePair(folderOne, one);
  await writePair(folderTwo, two);
  const data = path.join(folder, "data");
  await symlink(folderOne, data);
  for (const file of Object.values(files)) {
    await unlink(file);
    await symlink(path.join(data, path.basename(file)), file);
  }
  await becomes(one);
  await symlink(folderTwo, `${data}.new`);
  await rename(`${data}.new`, data);
  await becomes(two);
  t.true(warnings.every((warning) => warning.includes("the one before it still is")));
  t.is(new Set(changes).size, changes.length);
});

test("a half-written or expired change keeps the last good pair and warns once", async (t) => {
  const folder = await newFolder();
  const clock = makeManualClock();
  const good = await issue();
  const files = await writePair(folder, good);
  const { log, warnings } = recordingLog();
  using certificates = await loadCertificates({
    ...files,
    directory: folder,
    hostnames: [],
    log,
    clock,
  });
  const goesWrong = async (what: RegExp) => {
    const before = warnings.length;
    await until(
      () => warnings.length > before,
      () => clock.advance(2_000),
    );
    t.regex(warnings.at(-1) ?? "", what);
    clock.advance(2_000);
    await sleep(20);
    t.is(warnings.length, before + 1);
    t.deepEqual(certificates.current, good);
  };
  const next = await issue();
  await replace(files.certFile, next.cert);
  await goesWrong(/does not belong to the first certificate/);
  await replace(files.certFile, next.cert.slice(0, 100));
  await goesWrong(/holds no certificate in PEM form/);
  await unlink(files.certFile);
  await goesWrong(/cannot be read/);
  const old = await issue(Date.now() - 400 * DAY);
  await replace(files.keyFile, old.key);
  await goesWrong(/cannot be read/);
  await replace(files.certFile, old.cert);
  await goesWrong(/expired on/);
  await writePair(folder, next);
  await until(
    () => certificates.current.cert === next.cert,
    () => clock.advance(2_000),
  );
  t.is(certificates.current.key, next.key);
});

test("files that will not do stop the start, with words for what to do", async (t) => {
  const folder = await newFolder();
  const load = async (files: { certFile?: string; keyFile?: string }) => {
    const options = { directory: folder, hostnames: [], log: silentLog };
    using _certificates = await loadCertificates({ ...files, ...options });
  };
  const refuses = (files: { certFile?: string; keyFile?: string }, message: RegExp) =>
    t.throwsAsync(load(files), { instanceOf: SettingsError, message });

  const pair = await issue();
  const files = await writePair(folder, pair);
  await load(files);
  await refuses({ certFile: files.certFile }, /belong together: give --tls-key/);
  await refuses({ keyFile: files.keyFile }, /belong together: give --tls-cert/);
  await refuses(
    { ...files, certFile: `${folder}/missing` },
    /missing cannot be read: ENOENT.*--tls-cert/,
  );
  await refuses(
    { ...files, keyFile: `${folder}/missing` },
    /missing cannot be read: ENOENT.*--tls-key/,
  );
  await refuses({ ...files, certFile: files.keyFile }, /holds no certificate in PEM form/);
  await refuses({ ...files, keyFile: files.certFile }, /holds no private key in PEM form/);

  const locked = `${folder}/locked.key`;
  const cipher = { cipher: "aes-256-cbc", passphrase: "secret" };
  const encrypted = createPrivateKey(pair.key).export({ type: "pkcs8", format: "pem", ...cipher });
  await writeFile(locked, encrypted);
  await refuses({ ...files, keyFile: locked }, /locked with a passphrase.*openssl pkey/);

  await writeFile(files.certFile, authority.cert + pair.cert);
  await refuses(files, /does not belong to the first certificate.*server's own certificate first/);
  await writeFile(files.certFile, pair.cert + authority.cert);
  await load(files);

  await writePair(folder, await issue(Date.now() - 366 * DAY));
  await refuses(files, /expired on \d{4}-\d\d-\d\d: renew it/);
  await writePair(folder, await issue(Date.now() + 2 * DAY));
  await refuses(files, /valid only from \d{4}-\d\d-\d\d on: check this machine's clock/);
});

test("a given certificate that soon expires is warned about daily", async (t) => {
  const folder = await newFolder();
  const files = await writePair(folder, await issue());
  const clock = makeManualClock(Date.now() + 350 * DAY);
  const { log, warnings } = recordingLog();
  const options = { ...files, directory: folder, hostnames: [], log, clock };
  using _certificates = await loadCertificates(options);
  clock.advance(2_000);
  await sleep(20);
  t.is(warnings.length, 0);
  await until(
    () => warnings.length >= 2,
    () => clock.advance(DAY / 4),
  );
  t.regex(warnings[0] ?? "", /good until \d{4}-\d\d-\d\d only; renew it/);
});

test("loading given files does not load what makes certificates", async (t) => {
  const folder = await newFolder();
  const files = await writePair(folder, await issue());
  const module = new URL("../../server/certificates.ts", import.meta.url);
  const script = `
    const { loadCertificates } = await import(${JSON.stringify(module)});
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const options = { ...${JSON.stringify(files)}, directory: "/nowhere", hostnames: [], log };
    using certificates = await loadCertificates(options);
    console.log("getMetadata" in Reflect);`;
  const answer = execFileSync(process.execPath, ["--input-type=module", "-e", script]);
  t.is(answer.toString().trim(), "false");
});
