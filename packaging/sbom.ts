import type { Part } from "./parts.ts";

const purl = ({ name, version }: { name: string; version: string }) =>
  `pkg:npm/${name.replace("@", "%40")}@${version}`;

const license = (expression: string) =>
  /^[A-Za-z0-9.+-]+$/.test(expression) ? { license: { id: expression } } : { expression };

/**
 * What is inside, in the form of CycloneDX 1.6. It holds no time and no serial number, so that the same
 * package has the same list.
 */
export function makeSbom(
  subject: { name: string; title: string; version: string },
  parts: Part[],
): string {
  const own = `${subject.name}@${subject.version}`;
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": own,
        name: subject.name,
        version: subject.version,
        description: subject.title,
        licenses: [license("Apache-2.0")],
      },
    },
    components: parts.map((part) => ({
      type: "library",
      "bom-ref": purl(part),
      name: part.name,
      version: part.version,
      purl: purl(part),
      licenses: [license(part.license)],
      hashes: [{ alg: "SHA-512", content: part.sha512 }],
    })),
    dependencies: [{ ref: own, dependsOn: parts.map(purl) }],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
