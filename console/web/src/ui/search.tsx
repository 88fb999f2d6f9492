import { useAddressed } from "./addressed.tsx";
import { SearchField } from "./field.tsx";
import { useSettled } from "./settled.tsx";

/** Where one types what a list is searched for, kept in the page's address. */
export function ListSearch({ label = "Search by name or id" }: { label?: string }) {
  const { get, set } = useAddressed();
  return (
    <SearchField label={label} value={get("search")} onChange={(value) => set({ search: value })} />
  );
}

/** What a list is searched for, once somebody has stopped typing. */
export const useListSearch = (): string => useSettled(useAddressed().get("search").trim());
