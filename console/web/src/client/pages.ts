import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { useInfiniteQuery } from "@connectrpc/connect-query";
import { keepPreviousData } from "@tanstack/react-query";
import { every, PACE } from "./live.ts";

/** A list of which this much is loaded is asked for again less often. */
const MANY_PAGES = 5;

type PageRequest = { pageToken?: string; pageSize?: number };
type PageResponse = { nextPageToken: string };

/** All that is loaded of a list with pages, kept up to date, and a way to load more. */
export function usePages<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I> & PageRequest,
  options: { pace?: number; enabled?: boolean } = {},
) {
  const { pace = PACE.live, enabled = true } = options;
  const query = useInfiniteQuery(
    method,
    { pageSize: 100, ...request, pageToken: "" } as MessageInitShape<I> & { pageToken: string },
    {
      enabled,
      pageParamKey: "pageToken" as never,
      getNextPageParam: (page) =>
        ((page as unknown as PageResponse).nextPageToken || undefined) as never,
      placeholderData: keepPreviousData,
      refetchInterval: (asked) => {
        const pages = (asked.state.data as { pages?: unknown[] } | undefined)?.pages?.length ?? 0;
        return every(pages > MANY_PAGES ? Math.max(pace, PACE.calm) : pace)(asked);
      },
    },
  );
  return {
    ...query,
    pages: query.data?.pages ?? [],
    more: () => {
      if (query.hasNextPage && !query.isFetchingNextPage) query.fetchNextPage();
    },
  };
}
