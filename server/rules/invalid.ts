/** Settings of a rule that cannot be; the message names the field and says what to write instead. */
export class InvalidRule extends Error {
  override name = "InvalidRule";
}
