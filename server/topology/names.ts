/**
 * How names are compared without regard to case: as Unicode's default folding, near enough
 * ("STRASSE" is "straße", "ΟΔΌΣ" is "οδός"), in the same way whatever the database's locale is.
 */
export function foldName(name: string): string {
  return name.normalize("NFC").trim().toUpperCase().toLowerCase().normalize("NFC");
}
