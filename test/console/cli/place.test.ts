import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import test from "ava";
import { findPlace } from "../../../console/cli/place.ts";
import { saveServer } from "../../../console/cli/session-files.ts";

const REMOTE = "https://lumetry.example.com:8443";
const LOCAL = "https://localhost:8443";

/** A home with a project folder in it, and a folder below that one. */
async function makeHome() {
  const home = await mkdtemp(path.join(os.tmpdir(), "lumetry-place-"));
  const project = path.join(home, "project");
  const below = path.join(project, "a/b");
  await mkdir(path.join(project, ".lumetry"), { recursive: true, mode: 0o700 });
  await mkdir(below, { recursive: true });
  const personal = path.join(home, ".config/lumetry/cli.json");
  const folder = path.join(project, ".lumetry/cli.json");
  const find = (
    flags: Parameters<typeof findPlace>[0] = {},
    environment: Record<string, string> = {},
    directory = below,
  ) => findPlace(flags, { directory, environment: { HOME: home, ...environment } });
  return {
    home,
    project,
    personal,
    folder,
    find,
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

test("nothing is known at first", async (t) => {
  await using at = await makeHome();
  t.deepEqual(at.find(), { place: undefined, warnings: [] });
});

test("the folder's server comes before the person's, from any folder below it", async (t) => {
  await using at = await makeHome();
  saveServer(at.personal, { url: REMOTE, session: "lmtss_remote" });
  saveServer(at.folder, { url: LOCAL, session: "lmtss_local", caFile: "server/ca.crt" });
  const { place } = at.find();
  t.is(place?.url, LOCAL);
  t.is(place?.credential?.secret, "lmtss_local");
  t.is(place?.caFile, path.join(at.project, ".lumetry/server/ca.crt"));
  t.is(at.find({}, {}, at.home).place?.url, REMOTE);
});

test("a session is never sent to another server than its own", async (t) => {
  await using at = await makeHome();
  saveServer(at.personal, { url: REMOTE, session: "lmtss_remote" });
  const other = at.find({ server: "https://elsewhere.example.com" }).place;
  t.is(other?.url, "https://elsewhere.example.com");
  t.is(other?.credential, undefined);
  t.is(at.find({}, { LUMETRY_SERVER: `${REMOTE}/` }).place?.credential?.secret, "lmtss_remote");
});

test("flags come before the environment, and both before files", async (t) => {
  await using at = await makeHome();
  saveServer(at.personal, { url: REMOTE, session: "lmtss_remote", caFile: "/old/ca.pem" });
  const environment = { LUMETRY_SERVER: "https://b.example.com", LUMETRY_TOKEN: "lmtut_x" };
  t.is(at.find({}, environment).place?.url, "https://b.example.com");
  t.is(at.find({}, environment).place?.credential?.secret, "lmtut_x");
  t.is(
    at.find({ server: "https://c.example.com" }, environment).place?.url,
    "https://c.example.com",
  );
  t.is(at.find({ ca: "/new/ca.pem" }).place?.caFile, "/new/ca.pem");
});

test("several servers can be known at once, the last one signed in to first", async (t) => {
  await using at = await makeHome();
  saveServer(at.personal, { url: REMOTE, session: "lmtss_1" });
  saveServer(at.personal, { url: "https://b.example.com", session: "lmtss_2" });
  saveServer(at.personal, { url: REMOTE, session: "lmtss_3" });
  t.is(at.find().place?.credential?.secret, "lmtss_3");
  t.is(at.find({ server: "https://b.example.com" }).place?.credential?.secret, "lmtss_2");
});

test("a folder's file that others could have written is left aside", async (t) => {
  await using at = await makeHome();
  saveServer(at.folder, { url: LOCAL, session: "lmtss_local" });
  await chmod(at.folder, 0o664);
  const { place, warnings } = at.find();
  t.is(place, undefined);
  t.regex(warnings.join(), /left aside: others may write to/);
  await chmod(at.folder, 0o600);
  await chmod(path.dirname(at.folder), 0o777);
  t.is(at.find().place, undefined);
});

test("a folder's file that came with a copied project cannot name another machine", async (t) => {
  await using at = await makeHome();
  saveServer(at.folder, { url: "https://attacker.example.com", session: "lmtss_x" });
  const { place, warnings } = at.find({}, { LUMETRY_TOKEN: "lmtut_precious" });
  t.is(place, undefined);
  t.regex(warnings.join(), /servers on other machines/);
});

test("a damaged file says what to do", async (t) => {
  await using at = await makeHome();
  await writeFile(at.folder, "{", { mode: 0o600 });
  t.throws(() => at.find(), { message: /cannot be read/ });
});

test("a URL that is none, or a way that is not encrypted, is pointed out", async (t) => {
  await using at = await makeHome();
  t.throws(() => at.find({ server: "lumetry.example.com" }), {
    message: /not the URL of a server/,
  });
  t.regex(at.find({ server: "http://lumetry.example.com" }).warnings.join(), /not encrypted/);
  t.deepEqual(at.find({ server: "http://127.0.0.1:8080" }).warnings, []);
});
