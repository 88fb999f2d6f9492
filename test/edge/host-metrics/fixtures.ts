/** Synthetic texts in the form of /proc, written for these tests; no real host is shown. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ExecutionContext } from "ava";
import type { Clock } from "../../../lib/clock.ts";
import { type Log, silentLog } from "../../../lib/log.ts";

/** A present-day host with an NVMe disk, a logical volume, containers and a network mount. */
export const modernHost = {
  stat: `cpu  120000 400 30000 800000 2500 700 900 60 5000 10
cpu0 60000 200 15000 400000 1250 350 450 30 2500 5
cpu1 60000 200 15000 400000 1250 350 450 30 2500 5
intr 99887766 0 0 12 0
ctxt 55443322
btime 1700000000
`,
  meminfo: `MemTotal:       16000000 kB
MemFree:         2000000 kB
MemAvailable:    9000000 kB
Buffers:          500000 kB
Cached:          6000000 kB
SwapCached:            0 kB
Active(anon):    3000000 kB
SwapTotal:       4000000 kB
SwapFree:        3000000 kB
Shmem:            300000 kB
SReclaimable:    1000000 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
`,
  loadavg: "1.25 0.75 0.50 3/1200 98765\n",
  uptime: "86461.25 160000.00\n",
  "self/mountinfo": `1 1 0:2 / / rw - rootfs rootfs rw
22 29 0:21 / /proc rw,nosuid shared:13 - proc proc rw
23 29 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw
24 23 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw
25 29 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=8000000k
29 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw
40 29 0:25 / /run rw shared:5 - tmpfs tmpfs rw
41 29 259:1 / /boot/efi rw shared:30 - vfat /dev/nvme0n1p1 rw
42 29 7:3 / /snap/core/1 ro shared:31 - squashfs /dev/loop3 ro
43 29 253:0 /srv/data /mnt/bound rw shared:1 - ext4 /dev/mapper/vg-root rw
44 29 253:5 / /mnt/My\\040Files rw shared:32 master:2 propagate_from:1 - xfs /dev/mapper/vg-files rw
45 29 0:61 / /mnt/team rw shared:33 - nfs4 files.example:/team rw,vers=4.2
46 29 0:70 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw
47 29 0:71 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
`,
  "net/dev": `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 5000 50 0 0 0 0 0 0 5000 50 0 0 0 0 0 0
enp3s0: 123456789012 90000000 1 2 0 0 0 7 210987654321 80000000 3 4 0 0 0 0
docker0: 1000 10 0 0 0 0 0 0 2000 20 0 0 0 0 0 0
veth1a2b3c4: 1000 10 0 0 0 0 0 0 2000 20 0 0 0 0 0 0
 wlan0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`,
  diskstats: ` 259       0 nvme0n1 1000 20 80000 300 2000 40 160000 900 0 1500 1200 5 0 100 1 9 2
 259       1 nvme0n1p1 10 0 800 3 0 0 0 0 0 5 3 0 0 0 0 0 0
 259       2 nvme0n1p2 990 20 79200 297 2000 40 160000 900 0 1495 1197 5 0 100 1 0 0
 253       0 dm-0 1010 0 79200 310 2040 0 160000 950 0 1500 1260 5 0 100 1 0 0
   7       3 loop3 30 0 60 1 0 0 0 0 0 1 1 0 0 0 0 0 0
  11       0 sr0 5 0 20 1 0 0 0 0 0 1 1 0 0 0 0 0 0
 252       0 zram0 5 0 40 0 5 0 40 0 0 0 0 0 0 0 0 0 0
  43       0 nbd0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`,
};

export type ProcFiles = Partial<Record<keyof typeof modernHost, string>>;

/** A container: an overlay as root, three files of the host's disk under /etc, a volume on that disk. */
export const containerMounts = `900 850 0:120 / / rw,relatime master:50 - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
901 900 0:121 / /proc rw,nosuid - proc proc rw
902 900 0:122 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k
903 902 8:1 /pods/1/term /dev/termination-log rw - ext4 /dev/sda1 rw
904 900 8:1 /containers/1/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw
905 900 8:1 /containers/1/hostname /etc/hostname rw - ext4 /dev/sda1 rw
906 900 8:1 /containers/1/hosts /etc/hosts rw - ext4 /dev/sda1 rw
907 900 8:1 /volumes/v/_data /var/lib/app rw - ext4 /dev/sda1 rw
`;

/** Writes a /proc of one's own; it is removed when the test ends. */
export async function makeProc(t: ExecutionContext, files: ProcFiles): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "lumetry-proc-"));
  t.teardown(() => rm(root, { recursive: true }));
  await changeProc(root, files);
  return root;
}

export async function changeProc(root: string, files: ProcFiles): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

/** Keeps the warnings. */
export function makeListeningLog(): { log: Log; warnings: { part?: string; reason?: string }[] } {
  const warnings: { part?: string; reason?: string }[] = [];
  return { log: { ...silentLog, warn: (fields) => warnings.push(fields) }, warnings };
}

/** Every sleep ends as soon as all work that can go on has gone on. */
export const hurriedClock: Clock = {
  now: () => 0,
  monotonic: () => 0,
  sinceBoot: () => 0,
  sleep: (_ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      signal?.addEventListener("abort", () => resolve(), { once: true });
      setImmediate(resolve);
    }),
};
