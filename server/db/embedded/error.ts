/** The embedded PostgreSQL cannot start; worded for whoever started the server. */
export class EmbeddedDatabaseError extends Error {
  override name = "EmbeddedDatabaseError";
}

/** Another server on this machine has it. */
export class EmbeddedDatabaseInUse extends EmbeddedDatabaseError {}

export const ownDatabaseHint =
  "or set LUMETRY_DATABASE_URL=postgres://… to use a PostgreSQL of your own";

export const messageOf = (error: unknown) =>
  error instanceof Error ? error.message : String(error);

export const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;
