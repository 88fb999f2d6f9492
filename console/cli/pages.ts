/** All items of a paged list, in order; at most `most` of them. */
export async function allPages<Page extends { nextPageToken: string }, Item>(
  ask: (page: { pageSize: number; pageToken: string }) => Promise<Page>,
  itemsOf: (page: Page) => Item[],
  most = Number.POSITIVE_INFINITY,
): Promise<Item[]> {
  const items: Item[] = [];
  for (let pageToken = ""; ; ) {
    const page = await ask({ pageSize: Math.min(200, most - items.length), pageToken });
    items.push(...itemsOf(page));
    pageToken = page.nextPageToken;
    if (pageToken === "" || items.length >= most) return items.slice(0, most);
  }
}
