/**
 * A script as Windows wants it: with its line ends, which signatures cover, and in ASCII, which every PowerShell
 * reads alike.
 */
export function windowsText(text: string): Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII begins with them
  const strange = /[^\x00-\x7f]/.exec(text);
  if (strange) throw new Error(`a script for Windows holds "${strange[0]}", which is not ASCII`);
  return Buffer.from(text.replaceAll(/\r?\n/g, "\r\n"), "ascii");
}
