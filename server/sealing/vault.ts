import { Code, ConnectError } from "@connectrpc/connect";
import type { Log } from "../../lib/log.ts";
import type { Database } from "../db/database.ts";
import type { Keyring } from "./keyring.ts";
import { admitKey, findMissingKeys, forgetKeys } from "./store.ts";

/** Seals for services: what is sealed here can be opened by every server of the deployment. */
export interface Vault {
  readonly keyring: Keyring;
  /** `db` is the transaction that stores it. Throws FAILED_PRECONDITION when others could not open it. */
  seal(db: Database, plain: Uint8Array, place: readonly string[]): Promise<Buffer>;
  open(sealed: Buffer, place: readonly string[]): Buffer;
}

export function makeVault(keyring: Keyring, keyFile: string): Vault {
  return {
    keyring,
    async seal(db, plain, place) {
      const missing = await admitKey(db, keyring);
      if (missing.length > 0) {
        throw new ConnectError(
          `this server does not have the encryption key ${missing.join(", ")} that the deployment's secrets are under: ` +
            `start it with --encryption-key-file and the same file on every server (here it is ${keyFile}); ` +
            "if the key is lost for good, start once with --replace-lost-encryption-key true and give the secrets anew",
          Code.FailedPrecondition,
        );
      }
      return keyring.seal(plain, place);
    },
    open: (sealed, place) => keyring.open(sealed, place),
  };
}

/** Says at the start which secrets this server will not be able to open, or gives them up. */
export async function checkKeys(
  db: Database,
  keyring: Keyring,
  { replaceLost, keyFile, log }: { replaceLost: boolean; keyFile: string; log: Log },
): Promise<void> {
  const missing = await findMissingKeys(db, keyring);
  if (missing.length === 0) return;
  if (replaceLost) {
    await forgetKeys(db, missing);
    log.warn({ missing }, "encryption keys were given up: what is under them has to be given anew");
    return;
  }
  log.error(
    { missing, keyFile },
    "secrets of sources and channels are under encryption keys that this server does not have: give it the deployment's --encryption-key-file",
  );
}
