import { Code, ConnectError } from "@connectrpc/connect";
import { hash, verify } from "@node-rs/argon2";
import { makePlaces, TooManyWaiting } from "../../lib/places.ts";
import { problem, Reason } from "../problem.ts";

/** Argon2id as OWASP advises: 19 MiB and two passes. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** Leaves half of the four threads that file access and name look-ups share with hashing. */
const AT_ONCE = 2;
const LEAST_DIFFERENT_CHARACTERS = 5;

/** Costs as much to check as any other, and nothing matches it. */
const NOBODYS =
  `$argon2id$v=19$m=${COST.memoryCost},t=${COST.timeCost},p=${COST.parallelism}` +
  `$${"A".repeat(22)}$${"A".repeat(43)}`;

/** Slow on purpose, and bounded: RESOURCE_EXHAUSTED when too many wait for their turn. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** Takes the same time whether or not there is a hash; false without one. */
  matches(password: string, hash: string | null | undefined): Promise<boolean>;
}

export function makePasswords({ mostWaiting = 128 } = {}): Passwords {
  const places = makePlaces(AT_ONCE, mostWaiting);
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await places.take(work);
    } catch (error) {
      if (!(error instanceof TooManyWaiting)) throw error;
      throw problem(
        Code.ResourceExhausted,
        Reason.OVERLOADED,
        "too many people sign in at this moment; come again in 2 s",
        2000,
      );
    }
  };
  return {
    hash: (password) => inTurn(() => hash(normal(password), COST)),
    matches: (password, stored) => inTurn(() => verify(stored ?? NOBODYS, normal(password))),
  };
}

/** One spelling for what keyboards and systems encode in several ways. */
const normal = (password: string) => password.normalize("NFKC");

/** Throws INVALID_ARGUMENT, in words for its owner, for a password that is too easy to guess. */
export function requireGoodPassword(password: string, email: string): void {
  const folded = normal(password).toLowerCase();
  let weakness: string | undefined;
  if (folded === email.toLowerCase())
    weakness = "the password is the e-mail address; choose another";
  else if (new Set(folded).size < LEAST_DIFFERENT_CHARACTERS) {
    weakness = `the password has fewer than ${LEAST_DIFFERENT_CHARACTERS} different characters; choose another`;
  }
  if (weakness) throw new ConnectError(weakness, Code.InvalidArgument);
}
