/** One step of a path: a member, an element, or every element and member. */
type Step = string | number | typeof EVERY;

const EVERY = Symbol("every");

const STEP =
  /\.([A-Za-z_][\w-]*)|\.?\*|\[\s*(?:(\d{1,9})|(\*)|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]/y;

const MOST_STEPS = 32;
/** What one path may visit; a document is bounded, but several wildcards multiply. */
const MOST_VISITS = 100_000;

/** A value in a document, and which element each wildcard on the way to it stood for. */
export interface Found {
  value: unknown;
  chosen: (string | number)[];
}

/**
 * A path such as `$.queues[*].depth`: JSONPath without filters, slices and descendants, so that it
 * always ends soon. Throws SyntaxError, in words for people.
 */
export function readJsonPath(text: string): Step[] {
  if (!text.startsWith("$")) throw new SyntaxError(`${text} does not start with "$"`);
  const steps: Step[] = [];
  STEP.lastIndex = 1;
  for (let at = 1; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (!match) {
      throw new SyntaxError(
        `${text} cannot be read from character ${at + 1} on: write .name, ['any name'], [0] or [*]`,
      );
    }
    const [whole, name, index, , single, double] = match;
    const quoted = single ?? double;
    if (name !== undefined) steps.push(name);
    else if (index !== undefined) steps.push(Number(index));
    else if (quoted !== undefined) steps.push(quoted.replace(/\\(.)/g, "$1"));
    else if (whole.includes("*")) steps.push(EVERY);
    if (steps.length > MOST_STEPS) throw new SyntaxError(`${text} has more than 32 steps`);
  }
  return steps;
}

function child(value: unknown, step: string | number): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return typeof step === "number" ? value[step] : undefined;
  const name = String(step);
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

/** Everything that a path leads to. Throws RangeError when that is too much. */
export function findAll(document: unknown, steps: readonly Step[]): Found[] {
  let found: Found[] = [{ value: document, chosen: [] }];
  let visits = 0;
  for (const step of steps) {
    const next: Found[] = [];
    for (const { value, chosen } of found) {
      const wanted =
        step !== EVERY
          ? [step]
          : Array.isArray(value)
            ? value.keys()
            : typeof value === "object" && value !== null
              ? Object.keys(value)
              : [];
      for (const key of wanted) {
        visits += 1;
        if (visits > MOST_VISITS) throw new RangeError("leads to too many places");
        const inner = child(value, key);
        if (inner === undefined) continue;
        next.push({ value: inner, chosen: step === EVERY ? [...chosen, key] : chosen });
      }
    }
    found = next;
  }
  return found;
}

/** What a path leads to when its wildcards stand for what they stood for elsewhere. */
export function findOne(
  document: unknown,
  steps: readonly Step[],
  chosen: Found["chosen"],
): unknown {
  let value = document;
  let wildcards = 0;
  for (const step of steps) {
    const key = step === EVERY ? chosen[wildcards++] : step;
    if (key === undefined) return undefined;
    value = child(value, key);
  }
  return value;
}
