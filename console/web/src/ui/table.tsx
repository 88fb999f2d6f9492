import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";
import { Icon } from "./icon.tsx";
import { rowAt, useRows } from "./rows.tsx";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  number?: boolean;
  /** Left out on narrower screens: the highest first; without one it always stays. */
  rank?: 1 | 2 | 3;
  /** A share of the width; 1 unless given. */
  width?: string;
  /** What the list is asked to sort by when its title is pressed. */
  sort?: number;
}

export interface Sorting {
  by: number;
  reversed: boolean;
  /** Whether the natural order of a column goes down, such as newest first. */
  isDescending: (by: number) => boolean;
  onSort: (by: number, reversed: boolean) => void;
}

const ROW_PX = 40;
const MORE_WITHIN = 30;

/**
 * Any number of rows: only those in sight are drawn, and more are asked for before the end is
 * reached. Arrow keys go from row to row, Enter opens one.
 */
export function Table<Row>(props: {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
  href?: (row: Row) => string;
  sorting?: Sorting;
  /** Rows in all, loaded or not. */
  total?: number;
  hasMore?: boolean;
  onMore?: () => void;
  /** Shown in place of rows. */
  empty?: ReactNode;
}) {
  const { label, columns, rows, rowKey, href, sorting, hasMore, onMore, empty } = props;
  const box = useRef<HTMLDivElement>(null);
  const handlers = useRows(box);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => {
      const row = rows[index];
      return row ? rowKey(row) : index;
    },
    overscan: 6,
    initialRect: { width: 1000, height: 800 },
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && rows.length - last < MORE_WITHIN) onMore?.();
  }, [hasMore, last, rows.length, onMore]);

  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div
      ref={box}
      className="table-scroll"
      data-tall
      data-empty={rows.length === 0 || undefined}
      {...handlers}
    >
      <table
        className="table virtual"
        aria-label={label}
        aria-rowcount={(props.total ?? rows.length) + 1}
      >
        <colgroup>
          {columns.map(({ title, rank, width }) => (
            <col
              key={title}
              className={title === "" ? "narrow" : undefined}
              data-rank={rank}
              width={width}
            />
          ))}
        </colgroup>
        <thead>
          <tr>
            {columns.map((column) => (
              <Title key={column.title} column={column} sorting={sorting} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Spacer height={before} />
          {items.map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            return (
              <tr key={item.key} aria-rowindex={item.index + 2} {...rowAt(item.index, href?.(row))}>
                {columns.map((column) => (
                  <td
                    key={column.title}
                    className={column.number ? "number" : undefined}
                    data-rank={column.rank}
                  >
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          <Spacer height={after} />
        </tbody>
      </table>
      {rows.length === 0 && empty}
    </div>
  );
}

/** One cell will do: more would be columns where some are left out on a narrow screen. */
function Spacer({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr className="spacer">
      <td style={{ height }} />
    </tr>
  );
}

function Title<Row>(props: { column: Column<Row>; sorting: Sorting | undefined }) {
  const { column, sorting } = props;
  const { title, number, rank, sort } = column;
  const isSorted = sorting !== undefined && sort !== undefined && sorting.by === sort;
  const isDown = isSorted && sorting.isDescending(sort) !== sorting.reversed;
  return (
    <th
      scope="col"
      className={number ? "number" : undefined}
      data-rank={rank}
      aria-sort={isSorted ? (isDown ? "descending" : "ascending") : undefined}
    >
      {sorting && sort !== undefined ? (
        <button type="button" onClick={() => sorting.onSort(sort, isSorted && !sorting.reversed)}>
          {title}
          {isSorted && <Icon name={isDown ? "down" : "up"} size={12} />}
        </button>
      ) : title === "" ? (
        <span className="unseen">Actions</span>
      ) : (
        title
      )}
    </th>
  );
}
