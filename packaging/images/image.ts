import { gzipSync } from "node:zlib";
import { tar } from "../archives/tar.ts";
import { sha256 } from "../checksums.ts";
import type { ComponentName } from "../components.ts";
import { type Entry, epochSeconds, sortEntries } from "../entry.ts";

/** Who runs in a container: nobody that a host knows. */
const USER = 10001;

interface Blob {
  mediaType: string;
  digest: string;
  size: number;
}

/** An image in the OCI layout: content by its hash, and an index that names it. */
export class Layout {
  readonly #entries: Entry[] = [
    { path: "oci-layout", data: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
  ];
  readonly #manifests: object[] = [];
  readonly #known = new Set<string>();

  #add(mediaType: string, data: Buffer): Blob {
    const digest = sha256(data);
    if (!this.#known.has(digest)) {
      this.#known.add(digest);
      this.#entries.push({ path: `blobs/sha256/${digest}`, data });
    }
    return { mediaType, digest: `sha256:${digest}`, size: data.length };
  }

  /** One image for one processor, of layers that lie one upon the other. */
  addImage(options: {
    component: ComponentName;
    version: string;
    architecture: "amd64" | "arm64";
    layers: Entry[][];
    level: number;
  }): void {
    const { component, version, architecture, level } = options;
    const created = new Date(epochSeconds * 1000).toISOString();
    const tars = options.layers.map((entries) => tar(sortEntries(entries)));
    const layers = tars.map((data) =>
      this.#add("application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(data, { level })),
    );
    const home = `/var/lib/lumetry-${component}`;
    const labels = {
      "org.opencontainers.image.title": `lumetry-${component}`,
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": "Apache-2.0",
    };
    const config = {
      created,
      architecture,
      os: "linux",
      config: {
        User: `${USER}:${USER}`,
        Env: [
          "PATH=/opt/lumetry/bin:/usr/bin:/bin",
          "NODE_ENV=production",
          `LUMETRY_DATA_DIR=${home}`,
          ...(component === "collector"
            ? ["UV_THREADPOOL_SIZE=24", "MALLOC_ARENA_MAX=2", "MALLOC_MMAP_THRESHOLD_=16384"]
            : []),
        ],
        Entrypoint: [
          "/opt/lumetry/bin/node",
          // As the launcher and the service have it.
          ...(component === "collector"
            ? ["--max-semi-space-size=1", "--optimize-for-size"]
            : ["--max-semi-space-size=16"]),
          `/opt/lumetry/app/${component}.mjs`,
        ],
        WorkingDir: home,
        Volumes: { [home]: {} },
        ExposedPorts: { [component === "server" ? "8443/tcp" : "4319/tcp"]: {} },
        StopSignal: "SIGTERM",
        Labels: labels,
      },
      rootfs: { type: "layers", diff_ids: tars.map((data) => `sha256:${sha256(data)}`) },
      history: tars.map(() => ({ created, created_by: "npm run package" })),
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: this.#add("application/vnd.oci.image.config.v1+json", json(config)),
      layers,
      annotations: labels,
    };
    this.#manifests.push({
      ...this.#add(manifest.mediaType, json(manifest)),
      platform: { os: "linux", architecture },
    });
  }

  /** All of it as files; several processors under one name, of which whoever pulls gets its own. */
  entries(name: string): Entry[] {
    const several = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: this.#manifests,
    };
    const index = {
      ...several,
      manifests: [
        {
          ...this.#add(several.mediaType, json(several)),
          annotations: { "org.opencontainers.image.ref.name": name },
        },
      ],
    };
    return sortEntries([...this.#entries, { path: "index.json", data: json(index) }]);
  }
}

const json = (value: object) => Buffer.from(JSON.stringify(value));

/** What every image has besides Debian's files and ours: an account, and a place to write. */
export const accountEntries = (component: ComponentName): Entry[] => [
  {
    path: "etc/passwd",
    data: Buffer.from(
      `root:x:0:0:root:/root:/bin/sh\nlumetry:x:${USER}:${USER}:Lumetry:/var/lib/lumetry-${component}:/bin/sh\n`,
    ),
  },
  { path: "etc/group", data: Buffer.from(`root:x:0:\nlumetry:x:${USER}:\n`) },
  { path: "etc/nsswitch.conf", data: Buffer.from("hosts: files dns\n") },
  { path: `var/lib/lumetry-${component}`, folder: USER },
  { path: "tmp", folder: "anybody" },
];
