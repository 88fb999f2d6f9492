/** A drawing in character cells that remembers which pen drew in each. */
export interface Canvas {
  /** How many dots there are across and down. */
  readonly width: number;
  readonly height: number;
  /** Sets one dot; outside of the canvas it does nothing. */
  dot(x: number, y: number, pen: number): void;
  /** A line of dots between two dots, both included. */
  line(fromX: number, fromY: number, toX: number, toY: number, pen: number): void;
  /** The rows of cells, from the top: a character and the pen that drew last, -1 where none did. */
  rows(): { character: string; pen: number }[][];
}

// Where the dots of a braille pattern are among its bits, by row and column.
const BRAILLE = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
];

/** Eight dots to a cell, in braille patterns; pens can be told apart by colour only. */
export function brailleCanvas(columns: number, rows: number): Canvas {
  const bits = new Uint8Array(columns * rows);
  return canvas(columns, rows, 2, 4, {
    mark(cell, x, y) {
      bits[cell] = (bits[cell] ?? 0) | (BRAILLE[y % 4]?.[x % 2] ?? 0);
    },
    character: (cell) => (bits[cell] ? String.fromCodePoint(0x2800 + (bits[cell] ?? 0)) : " "),
  });
}

/** One dot to a cell, and a sign for each pen. */
export function signCanvas(columns: number, rows: number, signs: readonly string[]): Canvas {
  return canvas(columns, rows, 1, 1, {
    mark() {},
    character: (_cell, pen) => (pen < 0 ? " " : (signs[pen % signs.length] ?? "*")),
  });
}

function canvas(
  columns: number,
  rows: number,
  across: number,
  down: number,
  cells: {
    mark(cell: number, x: number, y: number): void;
    character(cell: number, pen: number): string;
  },
): Canvas {
  const pens = new Int8Array(columns * rows).fill(-1);
  const [width, height] = [columns * across, rows * down];
  const dot = (x: number, y: number, pen: number) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const cell = Math.floor(y / down) * columns + Math.floor(x / across);
    pens[cell] = pen;
    cells.mark(cell, x, y);
  };
  return {
    width,
    height,
    dot,
    line(fromX, fromY, toX, toY, pen) {
      const steps = Math.max(Math.abs(toX - fromX), Math.abs(toY - fromY), 1);
      for (let step = 0; step <= steps; step += 1) {
        const part = step / steps;
        dot(
          Math.round(fromX + (toX - fromX) * part),
          Math.round(fromY + (toY - fromY) * part),
          pen,
        );
      }
    },
    rows: () =>
      Array.from({ length: rows }, (_row, row) =>
        Array.from({ length: columns }, (_column, column) => {
          const cell = row * columns + column;
          const pen = pens[cell] ?? -1;
          return { character: cells.character(cell, pen), pen };
        }),
      ),
  };
}
