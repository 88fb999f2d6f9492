/** It is of no use to start again until a person has done something; the message says what. */
export class NeedsPerson extends Error {
  override name = "NeedsPerson";
}
