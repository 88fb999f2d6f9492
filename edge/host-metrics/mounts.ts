/** One line of mountinfo. */
export interface Mount {
  id: string;
  parent: string;
  /** "major:minor"; the same for every mount of one file system. */
  deviceNumber: string;
  /** The directory of the file system that is mounted; "/" for all of it. */
  root: string;
  mountPoint: string;
  type: string;
  /** Where it comes from, such as "/dev/sda1" or "server:/export"; without user names and passwords. */
  source: string;
}

/** Reads /proc/self/mountinfo; a line that cannot be read is skipped. */
export function parseMounts(mountinfo: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of mountinfo.split("\n")) {
    const fields = line.split(" ");
    // Any number of optional fields, ended by a dash, precede the type and the source.
    const dash = fields.indexOf("-", 6);
    const [id, parent, deviceNumber, root, mountPoint] = fields;
    const type = fields[dash + 1];
    if (dash < 0 || id === undefined || parent === undefined || deviceNumber === undefined)
      continue;
    if (root === undefined || !mountPoint?.startsWith("/") || !type) continue;
    mounts.push({
      id,
      parent,
      deviceNumber,
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      type: unescapeOctal(type),
      source: unescapeOctal(fields[dash + 2] ?? "").replace(/\/\/[^/@]*@/, "//"),
    });
  }
  return mounts;
}

/** The kernel writes space, tab, line feed, backslash and # as a backslash and three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** Kernel interfaces, memory, layers over other file systems, and images that are always full. */
const leftOutTypes = new Set([
  ...["autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts"],
  ...["devtmpfs", "efivarfs", "functionfs", "fusectl", "hugetlbfs", "mqueue", "nfsd", "nsfs"],
  ...["proc", "pstore", "resctrl", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs"],
  ...["tracefs", "ramfs", "rootfs", "tmpfs", "aufs", "composefs", "overlay"],
  ...["cramfs", "erofs", "iso9660", "squashfs", "udf"],
  ...["fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fuse.snapfuse", "fuse.squashfuse"],
]);

/** Where container runtimes mount single files of the host's disk. */
const leftOutPlaces = /^\/(dev|proc|sys)\/|^\/etc\/(hosts|hostname|resolv\.conf)$/;

/**
 * The mounts worth measuring, by mount point: every real file system once, and whatever is at "/". Of
 * several mounts of one file system the one at "/" is taken, else one of its whole, else the shortest
 * path. Mounts that lie hidden under others are left out, since their path leads elsewhere.
 */
export function chooseMounts(mounts: Mount[]): Mount[] {
  const visible = visibility(mounts);
  const chosen = new Map<string, Mount>();
  for (const mount of mounts) {
    const { mountPoint, type, deviceNumber } = mount;
    const atRoot = mountPoint === "/";
    if (!atRoot && (leftOutTypes.has(type) || leftOutPlaces.test(mountPoint))) continue;
    if (!visible(mount)) continue;
    const rival = chosen.get(deviceNumber);
    if (rival === undefined || rank(mount) < rank(rival)) chosen.set(deviceNumber, mount);
  }
  return [...chosen.values()].sort((one, other) => (one.mountPoint < other.mountPoint ? -1 : 1));
}

function rank({ mountPoint, root }: Mount): number {
  if (mountPoint === "/") return 0;
  return (root === "/" ? 0 : 1_000_000) + mountPoint.length;
}

/** Answers whether a mount's path leads to it, by walking down the tree of mounts as the kernel does. */
function visibility(mounts: Mount[]): (mount: Mount) => boolean {
  const ids = new Set(mounts.map(({ id }) => id));
  const children = new Map<string, Mount>();
  let top: Mount | undefined;
  for (const mount of mounts) {
    const { id, parent, mountPoint } = mount;
    if (parent !== id && ids.has(parent)) children.set(`${parent} ${mountPoint}`, mount);
    else if (mountPoint === "/") top = mount;
  }
  return (mount) => {
    if (top === undefined) return true; // In a chroot the tree has no top, and nothing can be told.
    let here = top;
    let steps = mounts.length; // A walk longer than this is a circle in damaged text.
    for (const path of pathsTo(mount.mountPoint)) {
      for (let next = children.get(`${here.id} ${path}`); next && steps-- > 0; ) {
        here = next;
        next = children.get(`${here.id} ${path}`);
      }
    }
    return here === mount;
  };
}

/** "/a/b" gives "/", "/a", "/a/b". */
function pathsTo(path: string): string[] {
  const paths = ["/"];
  for (let slash = path.indexOf("/", 1); slash > 0; slash = path.indexOf("/", slash + 1))
    paths.push(path.slice(0, slash));
  if (path !== "/") paths.push(path);
  return paths;
}
