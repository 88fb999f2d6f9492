import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import test from "ava";
import { Language, type Node, Parser } from "web-tree-sitter";
import { windowsText } from "../../../packaging/windows/text.ts";
import { renderCommands } from "../../../server/enrollment-profiles/commands.ts";
import { fillBootstrap } from "../../../server/packages/bootstrap.ts";

/*
 * PowerShell itself cannot be had from npm or Debian: what is checked here is its grammar, what the scripts call, and
 * what they hand on. That they do what they should is for packaging/windows/verify-windows.ps1, on a real Windows.
 */
const root = path.join(import.meta.dirname, "../../..");
const folder = path.join(root, "packaging/windows");
const names = readdirSync(folder).filter((name) => name.endsWith(".ps1"));
const read = (name: string) => readFileSync(path.join(folder, name), "utf8");
const query = readFileSync(path.join(root, "edge/host-metrics/windows/query.ps1"), "utf8");

let parser: Parser;
test.before(async () => {
  await Parser.init();
  const grammar = createRequire(import.meta.url).resolve(
    "tree-sitter-powershell/tree-sitter-powershell.wasm",
  );
  parser = new Parser().setLanguage(await Language.load(grammar));
});

function* nodes(node: Node): Generator<Node> {
  yield node;
  for (const child of node.children) if (child) yield* nodes(child);
}

function parse(text: string): Node[] {
  const tree = parser.parse(text);
  return tree ? [...nodes(tree.rootNode)] : [];
}

const mistakes = (text: string) =>
  parse(text)
    .filter((node) => node.isError || node.isMissing)
    .map(({ startPosition }) => `${startPosition.row + 1}:${startPosition.column + 1}`);

const textsOf = (text: string, kind: string) =>
  parse(text)
    .filter(({ type }) => type === kind)
    .map((node) => node.text);

test("the scripts are PowerShell by its grammar, and the check finds a mistake", (t) => {
  t.true(names.length >= 4);
  for (const name of names) t.deepEqual(mistakes(read(name)), [], name);
  t.deepEqual(mistakes(query), [], "query.ps1");
  t.not(
    mistakes(read("setup.ps1").replace("Join-Path $here $Name)", "Join-Path $here $Name")).length,
    0,
  );
  t.not(mistakes(read("uninstall.ps1").replace("return $true\n}", "return $true")).length, 0);
  t.not(mistakes(read("install.ps1").replace("$CHECKSUMS = ''", "$CHECKSUMS = '")).length, 0);
});

/** In every Windows PowerShell 5.1 of Windows Server 2019 and newer, without a module to install. */
const KNOWN = new Set(
  `Add-Type ConvertFrom-Json ConvertTo-Json Copy-Item ForEach-Object Get-Acl
  Get-AuthenticodeSignature Get-ChildItem Get-CimInstance Get-Content Get-FileHash Get-ItemProperty Get-LocalGroupMember
  Get-Service Get-Variable Get-WinEvent Get-WindowsOptionalFeature Import-PowerShellDataFile Invoke-CimMethod
  Invoke-WebRequest Join-Path New-Item New-Object Out-Null Remove-Item Resolve-Path Restart-Service Select-Object
  Set-Content Set-Location Set-StrictMode Split-Path Start-Sleep Stop-Process Test-Path Where-Object Write-Output`.split(
    /\s+/,
  ),
);

test("the scripts call what every supported Windows has, and functions of their own", (t) => {
  for (const name of names) {
    const text = read(name);
    const own = new Set(textsOf(text, "function_name"));
    const called = textsOf(text, "command_name").filter((each) => /^[A-Z]\w*-\w+$/.test(each));
    t.true(called.length > 0, name);
    t.deepEqual(
      called.filter((each) => !KNOWN.has(each) && !own.has(each)),
      [],
      name,
    );
  }
});

test("the scripts can be signed and read anywhere: ASCII, with the line ends of Windows", (t) => {
  for (const name of names) {
    const text = String(windowsText(read(name)));
    t.is(text.replaceAll("\r\n", "").search(/[\r\n]/), -1, name);
  }
  t.throws(() => windowsText("# é"), { message: /not ASCII/ });
});

test("PowerShell stays thin: what decides is in programs that are tested", (t) => {
  const codeLines = (text: string) =>
    text
      .replace(/<#[\s\S]*?#>/g, "")
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.trim().startsWith("#")).length;
  const lines = ["install.ps1", "setup.ps1", "uninstall.ps1"].map((name) => codeLines(read(name)));
  t.true(
    lines.reduce((sum, count) => sum + count) < 300,
    `${lines.join(" + ")} lines are more than installing needs`,
  );
});

test("install.ps1 takes the parameters of the documents, and hands every setting on", (t) => {
  const text = read("install.ps1");
  const [block] = textsOf(text, "param_block");
  const parameters = [...(block ?? "").matchAll(/\$(\w+)/g)].map(([, name = ""]) => name);
  for (const name of ["BackendUrl", "EnrollmentToken", "CollectorUrl", "Cluster", "ClusterId"]) {
    t.true(parameters.includes(name), name);
  }
  const help = [...text.matchAll(/^\.PARAMETER (\w+)$/gm)].map(([, name]) => name);
  t.deepEqual(help, parameters, "each has its help");
  const request = readFileSync(path.join(folder, "setup/request.ts"), "utf8");
  const handedOn = [...request.matchAll(/^ {2}(\w+): "[a-z-]+",$/gm)].map(([, name]) => name);
  t.is(handedOn.length, 7);
  for (const name of handedOn) t.regex(text, new RegExp(`'${name}'`), `${name} reaches setup`);
});

test("what is handed on as JSON is plain text: what Get-Content reads is an object to ConvertTo-Json", (t) => {
  for (const name of ["install.ps1", "setup.ps1"]) {
    t.false(textsOf(read(name), "command_name").includes("Get-Content"), name);
  }
});

test("the shown command is PowerShell, also where it pins an authority", (t) => {
  for (const authority of ["", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"]) {
    const { windows } = renderCommands({
      publicUrl: "https://here.example:8443",
      installerUrlLinux: undefined,
      installerUrlWindows: "https://here.example:8443/packages/install.ps1",
      authority,
      token: "lmtae_x",
      clusterId: "cls.abcdefghij",
      relays: [{ collectorId: "col.a", url: "http://collector.internal:4319", fingerprint: "" }],
    });
    t.deepEqual(mistakes(windows), [], windows);
    t.true(textsOf(windows, "command_name").includes("powershell.exe"));
  }
});

test("whoever serves install.ps1 fills in its deployment, and what was there before is replaced", (t) => {
  const filled = fillBootstrap("install.ps1", read("install.ps1"), {
    VERSION: "1.2.3",
    CHECKSUMS: `${"0".repeat(64)}  lumetry-agent-1.2.3-win-x64.zip\n`,
    BASE_URL: "https://lumetry.example.com/packages",
    CA: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    SIGNER: "Example Corp.",
  });
  t.deepEqual(mistakes(filled), []);
  t.regex(filled, /^\$SIGNER = 'Example Corp\.'$/m);
  const again = fillBootstrap("install.ps1", filled, { BASE_URL: "https://b.example", CA: "" });
  t.regex(again, /^\$BASE_URL = 'https:\/\/b\.example'$/m);
  t.regex(again, /^\$CA = ''$/m);
  t.deepEqual(mistakes(again), []);
});
