import { Code, ConnectError } from "@connectrpc/connect";
import { type Query, QueryCache, QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { explain } from "./errors.ts";

const MOST_MS = 60_000;

/**
 * How often a page asks again: at this pace while it is looked at, ever more slowly while it gets no
 * answer. A page that is hidden does not ask; it does at once when it is looked at again.
 */
export const every =
  (ms: number) =>
  // biome-ignore lint/suspicious/noExplicitAny: whatever is asked, only its failures count
  (query: Query<any, any, any, any>): number =>
    Math.min(ms * 2 ** Math.min(query.state.fetchFailureCount, 5), Math.max(MOST_MS, ms));

/** Something that somebody watches as it happens; a list; something that hardly changes. */
export const PACE = { watch: 2_000, live: 5_000, calm: 30_000 } as const;

interface Connection {
  reachable: boolean;
  /** When an answer last came. */
  heardAt: number;
}
let connection: Connection = { reachable: true, heardAt: Date.now() };
const listeners = new Set<() => void>();

function note(reachable: boolean): void {
  const isNews = connection.reachable !== reachable;
  connection = { reachable, heardAt: reachable ? Date.now() : connection.heardAt };
  if (isNews) for (const listener of listeners) listener();
}

export const useConnection = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => connection,
  );

const isAway = (error: unknown) => explain(error).isPassing;

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onSuccess: () => note(true),
    onError: (error) => note(!isAway(error)),
  }),
  defaultOptions: {
    queries: {
      // What could not be had is asked for again by the page's own pace.
      retry: (count, error) =>
        count < 1 && error instanceof ConnectError && error.code === Code.Unavailable,
      staleTime: 2_000,
      gcTime: 300_000,
      networkMode: "always",
      refetchOnWindowFocus: true,
      refetchIntervalInBackground: false,
    },
    mutations: { networkMode: "always" },
  },
});
