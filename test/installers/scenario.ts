/** Something that holds of installers, and how to see it on a machine. */
export interface Scenario {
  /** In the words of who uses it. */
  name: string;
  run(): Promise<void>;
}

/** Scenarios that share what is made for them once. */
export interface Layer {
  name: string;
  /** What the names of its scenarios begin with, before a colon. */
  groups: string[];
  /** Commands, and files by their whole path, that have to be there, by the package of Debian's that has them. */
  tools: Record<string, string>;
  open(): Promise<{ scenarios: Scenario[] } & AsyncDisposable>;
}
