/**
 * Which rows of a long list are worth having in the page, and where a key moves the
 * active row. Plain arithmetic: 30,000 roads cost as much as 30.
 */

/** Rows [first, last) of a list. */
export interface RowWindow {
  readonly first: number;
  readonly last: number;
}

/** Rows drawn beyond the visible ones, so that scrolling shows no blanks. */
const OVERSCAN = 8;

/** The rows to draw for a scroll position, all in pixels. */
export function rowWindow(scrollTop: number, height: number, rowHeight: number, count: number): RowWindow {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - OVERSCAN);
  const last = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + OVERSCAN);
  return { first: Math.min(first, last), last };
}

/** The active row after a key, or null when the key moves nothing. `page` is rows per screen. */
export function moveRow(key: string, active: number, count: number, page: number): number | null {
  const targets: Readonly<Record<string, number>> = {
    ArrowDown: active + 1,
    ArrowUp: active - 1,
    PageDown: active + page,
    PageUp: active - page,
    Home: 0,
    End: count - 1,
  };
  const target = targets[key];
  if (target === undefined || count === 0) return null;
  return Math.min(count - 1, Math.max(0, target));
}

/** The scroll position that shows row `i` whole with the least movement, in pixels. */
export function scrollTo(i: number, scrollTop: number, height: number, rowHeight: number): number {
  const top = i * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + height) return top + rowHeight - height;
  return scrollTop;
}
