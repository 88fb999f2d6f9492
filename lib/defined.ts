type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The members that have a value, for whoever tells an absent member from an undefined one. */
export function definedOnly<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}
