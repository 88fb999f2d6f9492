import { forPowerShell, forShell } from "../enrollment-profiles/quoting.ts";

/** What an installer knows of its deployment; these stand at its beginning, a line each. */
export interface BootstrapValues {
  /** What it installs unless told otherwise. */
  COMPONENT?: string;
  VERSION?: string;
  /** "<SHA-256>  <file>" of each package, a line each. */
  CHECKSUMS?: string;
  /** Where the packages are, without a slash at the end. */
  BASE_URL?: string;
  /** Who has to have signed the package; only an installer for Windows asks. */
  SIGNER?: string;
  /** A private authority in PEM form that downloads and agents have to trust; "" for those of the system. */
  CA?: string;
}

/** Whether an installer for Windows can hold the name of who signs: it is in ASCII, and quotes nothing. */
export const isPublisherName = (name: string) =>
  /^[\x20-\x7e]+$/.test(name) && !/['"\\]/.test(name);

/** `NAME='…'` in a shell script, `$NAME = '…'` in PowerShell: filled in or not. */
const LINES = {
  shell: { find: (name: string) => `^(${name}=)'[^']*'$`, quote: forShell },
  powershell: { find: (name: string) => `^(\\$${name} = )'[^']*'(?=\r?$)`, quote: forPowerShell },
};

/** An installer with these values in place of those that it had. */
export function fillBootstrap(name: string, text: string, values: BootstrapValues): string {
  const { find, quote } = name.endsWith(".ps1") ? LINES.powershell : LINES.shell;
  let filled = text;
  for (const [key, value] of Object.entries(values)) {
    const line = new RegExp(find(key), "m");
    if (!line.test(filled)) throw new Error(`${name} has no line for ${key}`);
    if (value.includes("'")) throw new Error(`${key} of ${name} may not hold quotes`);
    filled = filled.replace(line, (_, start: string) => `${start}${always(quote(value))}`);
  }
  return filled;
}

/** Plain values in quotes too, so that they are found again. */
const always = (quoted: string) =>
  quoted.startsWith("'") ? quoted : `'${quoted.replaceAll('"', "")}'`;
