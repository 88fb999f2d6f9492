import { randomBytes } from "node:crypto";
import path from "node:path";
import { readIfPresent, writeDurably } from "../lib/durable-file.ts";
import { makeTurns } from "../lib/turns.ts";
import { NeedsPerson } from "./needs-person.ts";

/** The two programs that live with a server by this folder's code, and what their ids begin with. */
export type EdgeKind = "collector" | "agent";

const ID_PREFIXES = { collector: "col.", agent: "agt." } as const;

/**
 * Who this installation is, kept in its data directory.
 *
 * new → (nonce kept) → enrolled → (first use) confirmed → (next kept) → confirmed with the next
 * credential. Every step is on disk before it is acted on, so that a crash at any moment leaves a
 * way on: until the first credential has been used the nonce proves who asked, and while rotating
 * the old credential stays valid until the next one has been used.
 */
interface Stored {
  enrollmentNonce?: string;
  edgeId?: string;
  credential?: string;
  nextCredential?: string;
  /** What the server said about the place that was asked for, when it enrolled. */
  placement?: string;
}

const FIELDS = ["enrollmentNonce", "edgeId", "credential", "nextCredential", "placement"] as const;

function readStored(text: string): Stored {
  const stored: Stored = JSON.parse(text);
  if (typeof stored !== "object" || stored === null || Array.isArray(stored)) throw new Error();
  for (const field of FIELDS)
    if (!["string", "undefined"].includes(typeof stored[field])) throw new Error();
  return stored;
}

/** What an enrollment token was redeemed for. */
export interface Enrolled {
  edgeId: string;
  credential: string;
  placement?: string | undefined;
}

export class Identity {
  #file: string;
  #stored: Stored;
  /** Changes come one after the other, each made of what the one before it left. */
  #inTurn = makeTurns();

  private constructor(file: string, stored: Stored) {
    this.#file = file;
    this.#stored = stored;
  }

  /** Throws NeedsPerson for a file that is damaged or belongs to the other kind of edge. */
  static async load(directory: string, kind: EdgeKind): Promise<Identity> {
    const file = path.join(directory, "identity.json");
    const text = await readIfPresent(file);
    if (text === undefined) return new Identity(file, {});
    let stored: Stored;
    try {
      stored = readStored(text);
    } catch {
      throw new NeedsPerson(
        `${file} is damaged; move it away and enroll again with a new token, or restore it from a backup`,
      );
    }
    if (stored.edgeId && !stored.edgeId.startsWith(ID_PREFIXES[kind])) {
      throw new NeedsPerson(
        `${directory} belongs to ${stored.edgeId}, which is no ${kind}; name another directory with --data-dir`,
      );
    }
    return new Identity(file, stored);
  }

  #change(make: (stored: Stored) => Stored): Promise<void> {
    return this.#inTurn(async () => {
      const stored = make(this.#stored);
      if (stored === this.#stored) return;
      await writeDurably(this.#file, `${JSON.stringify(stored, null, 2)}\n`);
      this.#stored = stored;
    });
  }

  /** Empty until enrolled. */
  get edgeId(): string {
    return this.#stored.edgeId ?? "";
  }

  /** What the server said about the place that was asked for; undefined when it was not asked. */
  get placement(): string | undefined {
    return this.#stored.placement;
  }

  get isEnrolled(): boolean {
    return this.#stored.credential !== undefined;
  }

  /** True once the server has answered a call with a credential of this identity. */
  get isConfirmed(): boolean {
    return this.isEnrolled && this.#stored.enrollmentNonce === undefined;
  }

  /** The credential to call with: the next one, if there is one, since using it confirms it. */
  get credential(): string | undefined {
    return this.#stored.nextCredential ?? this.#stored.credential;
  }

  /** The proof of having asked, made once and kept before the first call that carries it. */
  async enrollmentNonce(): Promise<Uint8Array> {
    const made = randomBytes(32).toString("base64");
    await this.#change((stored) =>
      stored.enrollmentNonce ? stored : { ...stored, enrollmentNonce: made },
    );
    return Buffer.from(this.#stored.enrollmentNonce ?? "", "base64");
  }

  enroll({ edgeId, credential, placement }: Enrolled): Promise<void> {
    return this.#change(({ enrollmentNonce }) => ({
      ...(enrollmentNonce && { enrollmentNonce }),
      edgeId,
      credential,
      ...(placement !== undefined && { placement }),
    }));
  }

  /** Back to having asked: the first credential was void before it could be used. */
  unenroll(): Promise<void> {
    return this.#change((stored) => {
      const { enrollmentNonce } = stored;
      return enrollmentNonce ? { enrollmentNonce } : stored;
    });
  }

  /** Keeps the next credential, before it is used for the first time. */
  keepNext(nextCredential: string): Promise<void> {
    return this.#change((stored) => ({ ...stored, nextCredential }));
  }

  /** A call with this credential was answered: if it was a new one, it is now the only one. */
  confirm(used: string): Promise<void> {
    return this.#change((stored) => {
      const { nextCredential, enrollmentNonce, ...rest } = stored;
      if (used === nextCredential) return { ...rest, credential: used };
      return used === rest.credential && enrollmentNonce ? rest : stored;
    });
  }

  /** This credential was refused: if it was the next one, the one before it is used again. */
  giveUp(refused: string): Promise<void> {
    return this.#change((stored) => {
      const { nextCredential, ...rest } = stored;
      return refused === nextCredential ? rest : stored;
    });
  }
}
