/** How setup ends; the same numbers as on Linux, and in the help of install.ps1. */
export const EXIT = {
  failed: 1,
  usage: 2,
  selfTest: 6,
  health: 7,
  refused: 9,
} as const;

/** Setup cannot go on; the message says what to do. */
export class SetupError extends Error {
  override name = "SetupError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
