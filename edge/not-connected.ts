/** No connection came about, so that nothing was sent and certainly nothing was stored. */
export class NotConnected extends Error {
  override name = "NotConnected";
  readonly code: string;

  constructor(message: string, code: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
