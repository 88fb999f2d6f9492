import { createHash } from "node:crypto";

export const sha256 = (data: Buffer) => createHash("sha256").update(data).digest("hex");

/** In the form that `sha256sum --check` reads. */
export const sumLines = (files: { path: string; data: Buffer }[]) =>
  files.map(({ path, data }) => `${sha256(data)}  ${path}\n`).join("");
