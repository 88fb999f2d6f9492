import { Code, ConnectError } from "@connectrpc/connect";

const DEFAULT_SIZE = 50;
const MOST = 200;

/** One page of a list: how many rows to read, and after which. */
export interface Page {
  /** Rows to show; a store reads one more, to know whether there is another page. */
  size: number;
  /** The sort key of the last row shown before; undefined for the first page. */
  after: string[] | undefined;
}

/** Reads a page request whose tokens hold `keys` strings. */
export function readPage(request: { pageSize: number; pageToken: string }, keys: number): Page {
  const size = Math.min(request.pageSize || DEFAULT_SIZE, MOST);
  if (request.pageToken === "") return { size, after: undefined };
  let after: unknown;
  try {
    after = JSON.parse(Buffer.from(request.pageToken, "base64url").toString());
  } catch {
    after = undefined;
  }
  if (
    !Array.isArray(after) ||
    after.length !== keys ||
    !after.every((key) => typeof key === "string" && !key.includes("\0"))
  ) {
    throw badToken();
  }
  return { size, after };
}

export function badToken(): ConnectError {
  return new ConnectError(
    "page_token is none that this list gave out; leave it empty to start again",
    Code.InvalidArgument,
  );
}

/** The number after which a page of numbered rows starts; undefined for the first page. */
export function afterNumber(page: Page): bigint | undefined {
  if (!page.after) return undefined;
  const [key = ""] = page.after;
  if (!/^\d{1,18}$/.test(key)) throw badToken();
  return BigInt(key);
}

/** Splits one row too many off, and makes the token for what follows. */
export function cutPage<Row>(
  rows: Row[],
  page: Page,
  keyOf: (row: Row) => string[],
): { rows: Row[]; nextPageToken: string } {
  const shown = rows.slice(0, page.size);
  const last = shown.at(-1);
  if (rows.length <= page.size || last === undefined) return { rows: shown, nextPageToken: "" };
  return {
    rows: shown,
    nextPageToken: Buffer.from(JSON.stringify(keyOf(last))).toString("base64url"),
  };
}
