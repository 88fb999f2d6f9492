import type { Failures } from "./failures.ts";
import type { Sample } from "./sampler.ts";

/** What is read apart from the rest, so that its failure costs nothing else. */
export type Parts = Record<string, () => Sample[] | Promise<Sample[]>>;

/** The figures of all parts that can be read; throws if none can. */
export async function readParts(parts: Parts, failures: Failures): Promise<Sample[]> {
  const errors: unknown[] = [];
  const read = async ([part, readPart]: [string, Parts[string]]) => {
    try {
      const samples = await readPart();
      failures.worked(part);
      return samples;
    } catch (error) {
      failures.failed(part, error);
      errors.push(error);
      return [];
    }
  };
  const samples = (await Promise.all(Object.entries(parts).map(read))).flat();
  if (samples.length === 0) throw new AggregateError(errors, "no host metric could be read");
  return samples;
}
