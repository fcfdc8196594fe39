/** Columns that fit the terminal: what matters least goes first. Pure. */
import { fit, widthOf } from "./paint.ts";

export interface Column {
  readonly title: string;
  /** Higher goes first when there is no room; 0 never goes. */
  readonly dispensable?: number;
  readonly alignRight?: boolean;
}

const GAP = "  ";

/** The title line and one line per row, none wider than `columns`. Columns that are empty everywhere are left out. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { readonly columns: number; readonly indent: string },
): string[] {
  let shown = columns.map((column, index) => ({ ...column, index }))
    .filter(({ index }) => rows.some((row) => (row[index] ?? "") !== ""));
  const widths = columns.map((column, index) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(row[index] ?? "")))
  );
  const room = options.columns - options.indent.length;
  const needed = () => shown.reduce((sum, { index }) => sum + (widths[index] ?? 0) + GAP.length, -GAP.length);
  while (needed() > room && shown.some(({ dispensable }) => (dispensable ?? 0) > 0)) {
    const most = Math.max(...shown.map(({ dispensable }) => dispensable ?? 0));
    shown = shown.filter(({ dispensable }) => (dispensable ?? 0) !== most);
  }
  const line = (cells: readonly string[]) => {
    const padded = shown.map(({ index, alignRight }) => {
      const cell = cells[index] ?? "";
      const padding = " ".repeat(Math.max(0, (widths[index] ?? 0) - widthOf(cell)));
      return alignRight === true ? padding + cell : cell + padding;
    });
    return fit((options.indent + padded.join(GAP)).trimEnd(), options.columns);
  };
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}
