import test from "ava";
import fc from "fast-check";
import { chooseMounts, parseMounts } from "../../../edge/host-metrics/mounts.ts";
import { containerMounts, modernHost } from "./fixtures.ts";

const placesIn = (text: string) => chooseMounts(parseMounts(text)).map((mount) => mount.mountPoint);

test("real file systems are measured once each, kernel interfaces and images not at all", (t) => {
  t.deepEqual(placesIn(modernHost["self/mountinfo"]), [
    "/",
    "/boot/efi",
    "/mnt/My Files",
    "/mnt/team",
  ]);
});

test("a mount is read with its optional fields and escapes", (t) => {
  const mounts = parseMounts(modernHost["self/mountinfo"]);
  t.deepEqual(
    mounts.find(({ id }) => id === "44"),
    {
      id: "44",
      parent: "29",
      deviceNumber: "253:5",
      root: "/",
      mountPoint: "/mnt/My Files",
      type: "xfs",
      source: "/dev/mapper/vg-files",
    },
  );
  const odd = parseMounts("5 1 8:1 / /a\\011b\\012c\\134d\\043e rw - fuse.x  rw");
  t.is(odd[0]?.mountPoint, "/a\tb\nc\\d#e");
  t.is(odd[0]?.source, "");
});

test("in a container the root and the volume are reported, the files under /etc are not", (t) => {
  t.deepEqual(placesIn(containerMounts), ["/", "/var/lib/app"]);
});

test("a disk that a container sees only through single files is not reported", (t) => {
  t.deepEqual(placesIn(containerMounts.replace(/^907.*\n/m, "")), ["/"]);
});

test("a mount hidden under a later one is not reported in its place", (t) => {
  const text = `20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 8:2 / /mnt/old rw - ext4 /dev/sda2 rw
22 20 8:3 / /mnt rw - ext4 /dev/sda3 rw
23 22 8:4 / /mnt/new rw - ext4 /dev/sda4 rw
24 20 8:5 / /home rw - ext4 /dev/sda5 rw
25 24 0:9 / /home ro - tmpfs tmpfs ro
`;
  t.deepEqual(placesIn(text), ["/", "/mnt", "/mnt/new"]);
});

test("the subvolumes of one file system are reported once, at the root", (t) => {
  const text = `21 20 0:30 /@home /home rw - btrfs /dev/sda2 rw
20 1 0:30 /@ / rw - btrfs /dev/sda2 rw
`;
  t.deepEqual(placesIn(text), ["/"]);
});

test("of several mounts of one disk, that of the whole is taken before a shorter path to a part", (t) => {
  const text = `20 1 8:1 / / rw - ext4 /dev/sda1 rw
21 20 8:2 /part /p rw - ext4 /dev/sda2 rw
22 20 8:2 / /long/path rw - ext4 /dev/sda2 rw
`;
  t.deepEqual(placesIn(text), ["/", "/long/path"]);
});

test("in a chroot, where no root is listed, mounts are reported all the same", (t) => {
  t.deepEqual(placesIn("21 20 8:2 / /data rw - ext4 /dev/sda2 rw\n"), ["/data"]);
});

test("a user name and password in the source of a mount never become a label", (t) => {
  const [mount] = parseMounts("5 1 0:9 / /dav rw - fuse.dav https://me:secret@dav.example/x rw");
  t.is(mount?.source, "https://dav.example/x");
});

test("mounts that go in a circle do not stop the sampler", (t) => {
  const text = `1 1 8:1 / / rw - ext4 /dev/sda1 rw
2 3 8:2 / /a rw - ext4 /dev/sda2 rw
3 2 8:3 / /a rw - ext4 /dev/sda3 rw
4 1 8:4 / /a rw - ext4 /dev/sda4 rw
`;
  t.deepEqual(placesIn(text), ["/", "/a"]);
});

test("any text gives mounts that have a path, or nothing", (t) => {
  const id = fc.integer({ min: 1, max: 6 });
  const path = fc.constantFrom("/", "/a", "/a/b", "/a/b/c", "x", "/\\040");
  const line = fc
    .tuple(id, id, path, fc.constantFrom("ext4", "proc", "nfs"), fc.string())
    .map(([one, two, at, type, rest]) => `${one} ${two} 8:${one} / ${at} rw - ${type} ${rest}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string())), (lines) =>
      chooseMounts(parseMounts(lines.join("\n"))).every(({ mountPoint }) =>
        mountPoint.startsWith("/"),
      ),
    ),
  );
  t.pass();
});
