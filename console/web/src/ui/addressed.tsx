import { useSearchParams } from "wouter";

/**
 * What a page shows, kept in its address, so that it can be shared, and found again by going back.
 * An empty value is left out.
 */
export function useAddressed() {
  const [search, setSearch] = useSearchParams();
  const set = (values: Record<string, string | string[] | undefined>, push = false) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [name, value] of Object.entries(values)) {
          next.delete(name);
          for (const each of [value ?? []].flat()) if (each !== "") next.append(name, each);
        }
        return next;
      },
      { replace: !push },
    );
  return {
    get: (name: string) => search.get(name) ?? "",
    all: (name: string) => search.getAll(name),
    set,
  };
}
