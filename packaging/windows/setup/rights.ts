import { createHash } from "node:crypto";

/** The security identifier of a service's virtual account: Windows makes it of the name, and so do we. */
export function serviceSid(name: string): string {
  const digest = createHash("sha1").update(Buffer.from(name.toUpperCase(), "utf16le")).digest();
  const parts = [0, 4, 8, 12, 16].map((at) => digest.readUInt32LE(at));
  return `S-1-5-80-${parts.join("-")}`;
}

export const SERVICE_NAME = "LumetryAgent";
export const SERVICE_SID = serviceSid(SERVICE_NAME);

const READ_AND_EXECUTE = "0x1200a9";
const MODIFY = "0x1301bf";
/** The system and administrators, in full, and nobody else; for what is below, too. */
const ADMINISTRATORS = "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

/** Who may use the folders of the agent's state, in Windows' notation (SDDL). */
export const FOLDER_RIGHTS = {
  /** Lumetry's in %ProgramData%: others may be installed beside the agent, each with rights of its own. */
  shared: ADMINISTRATORS,
  /** What the service reads and administrators write. */
  readable: `${ADMINISTRATORS}(A;OICI;${READ_AND_EXECUTE};;;${SERVICE_SID})`,
  /** What the service writes: identity, queue, status, log. */
  writable: `${ADMINISTRATORS}(A;OICI;${MODIFY};;;${SERVICE_SID})`,
} as const;

/** Of a WMI namespace: to use it (WBEM_ENABLE) and to call methods (WBEM_METHOD_EXECUTE), both from this machine only. */
const NAMESPACE_ACCESS = 0x1 | 0x2;
const ACCESS_ALLOWED = 0;
/** Namespaces below inherit it. */
const CONTAINER_INHERIT = 0x2;
const INHERITED = 0x10;

function sidBytes(sid: string): Buffer {
  const [, revision = 0, authority = 0, ...parts] = sid.split("-").map(Number);
  const bytes = Buffer.alloc(8 + 4 * parts.length);
  bytes[0] = revision;
  bytes[1] = parts.length;
  bytes.writeUIntBE(authority, 2, 6);
  for (const [at, part] of parts.entries()) bytes.writeUInt32LE(part, 8 + 4 * at);
  return bytes;
}

interface Access {
  type: number;
  flags: number;
  bytes: Buffer;
}

interface Descriptor {
  control: number;
  owner: Buffer;
  group: Buffer;
  systemList: Buffer;
  revision: number;
  entries: Access[];
}

const HEADER_BYTES = 20;
const DACL_PRESENT = 0x4;
const SELF_RELATIVE = 0x8000;

/** The parts of a self-relative security descriptor. Throws a RangeError for one that is cut short. */
function parse(bytes: Buffer): Descriptor {
  const part = (at: number, lengthOf: (at: number) => number) =>
    at === 0 ? Buffer.alloc(0) : bytes.subarray(at, at + lengthOf(at));
  const sidLength = (at: number) => 8 + 4 * bytes.readUInt8(at + 1);
  const listLength = (at: number) => bytes.readUInt16LE(at + 2);
  const list = part(bytes.readUInt32LE(16), listLength);
  const entries: Access[] = [];
  const count = list.length === 0 ? 0 : list.readUInt16LE(4);
  for (let index = 0, at = 8; index < count; index += 1) {
    const size = list.readUInt16LE(at + 2);
    if (size < 4 || at + size > list.length) throw new RangeError("a list of rights is cut short");
    const entry = list.subarray(at, at + size);
    entries.push({ type: entry.readUInt8(0), flags: entry.readUInt8(1), bytes: entry });
    at += size;
  }
  return {
    control: bytes.readUInt16LE(2),
    owner: part(bytes.readUInt32LE(4), sidLength),
    group: part(bytes.readUInt32LE(8), sidLength),
    systemList: part(bytes.readUInt32LE(12), listLength),
    revision: list.length === 0 ? 2 : list.readUInt8(0),
    entries,
  };
}

function build({ control, owner, group, systemList, revision, entries }: Descriptor): Buffer {
  const listHeader = Buffer.alloc(8);
  const rights = entries.map(({ bytes }) => bytes);
  const list = Buffer.concat([listHeader, ...rights]);
  list.writeUInt8(revision, 0);
  list.writeUInt16LE(list.length, 2);
  list.writeUInt16LE(entries.length, 4);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(1, 0);
  header.writeUInt16LE(control | DACL_PRESENT | SELF_RELATIVE, 2);
  let at = HEADER_BYTES;
  for (const [field, part] of [owner, group, systemList, list].entries()) {
    header.writeUInt32LE(part.length === 0 ? 0 : at, 4 + 4 * field);
    at += part.length;
  }
  return Buffer.concat([header, owner, group, systemList, list]);
}

const isOf = (sid: string) => {
  const wanted = sidBytes(sid);
  // Type and flags, size, mask, then whom it is about.
  return ({ type, bytes }: Access) => type === ACCESS_ALLOWED && bytes.subarray(8).equals(wanted);
};

/** A namespace's descriptor in which `sid` has no right of its own. */
export function withoutNamespaceAccess(descriptor: Buffer, sid: string): Buffer {
  const parts = parse(descriptor);
  const isTheirs = isOf(sid);
  return build({ ...parts, entries: parts.entries.filter((entry) => !isTheirs(entry)) });
}

/** A namespace's descriptor in which `sid` may read and call methods, locally, and has no other right. */
export function withNamespaceAccess(descriptor: Buffer, sid: string): Buffer {
  const parts = parse(withoutNamespaceAccess(descriptor, sid));
  const whom = sidBytes(sid);
  const bytes = Buffer.alloc(8 + whom.length);
  bytes.writeUInt8(ACCESS_ALLOWED, 0);
  bytes.writeUInt8(CONTAINER_INHERIT, 1);
  bytes.writeUInt16LE(bytes.length, 2);
  bytes.writeUInt32LE(NAMESPACE_ACCESS, 4);
  whom.copy(bytes, 8);
  // In Windows' order: own refusals, own permissions, what is inherited.
  const inherited = parts.entries.findIndex(({ flags }) => (flags & INHERITED) !== 0);
  const at = inherited < 0 ? parts.entries.length : inherited;
  const added: Access = { type: ACCESS_ALLOWED, flags: CONTAINER_INHERIT, bytes };
  return build({ ...parts, entries: parts.entries.toSpliced(at, 0, added) });
}
