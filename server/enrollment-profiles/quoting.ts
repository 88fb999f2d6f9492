/** What needs no quotes in any shell, and means nothing to it. */
const PLAIN = /^[A-Za-z0-9_.,:/@%+-]+$/;

/** An argument for a POSIX shell, whatever it holds. */
export function forShell(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** PowerShell takes typographic quotes for quotes. */
const SINGLE_QUOTES = /['‘’‚‛]/g;

/** An argument for PowerShell, whatever it holds: in double quotes where these change nothing. */
export function forPowerShell(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : `'${text.replace(SINGLE_QUOTES, "$&$&")}'`;
}
