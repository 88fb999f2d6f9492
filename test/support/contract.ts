import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { DescMethod, DescService } from "@bufbuild/protobuf";

const gen = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../gen");

const modules = await Promise.all(
  readdirSync(gen, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith("_pb.js"))
    .sort()
    .map(
      (file): Promise<Record<string, unknown>> => import(pathToFileURL(path.join(gen, file)).href),
    ),
);

const isService = (value: unknown): value is DescService =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "service";

/** Every service that the contract declares, whether or not a server has been given it. */
export const services: DescService[] = modules.flatMap((module) =>
  Object.values(module).filter(isService),
);

export const listMethods = (): DescMethod[] => services.flatMap((service) => service.methods);
