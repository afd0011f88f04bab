/** What connects components to cells and to time. */
import { useEffect, useState } from 'preact/hooks';
import type { Readable } from '../cell/cell';

/** The cell's value; the component draws again when it changes. */
export function useCell<T>(cell: Readable<T>): T {
  const [value, setValue] = useState<{ value: T }>(() => ({ value: cell.get() }));
  useEffect(() => {
    // It may have changed between drawing and now.
    setValue((shown) => (Object.is(shown.value, cell.get()) ? shown : { value: cell.get() }));
    return cell.subscribe((next) => {
      setValue({ value: next });
    });
  }, [cell]);
  return value.value;
}

/** The time in ms since 1970, anew each `everyMs`. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const id = setInterval(() => {
      setNow(Date.now());
    }, everyMs);
    return () => {
      clearInterval(id);
    };
  }, [everyMs]);
  return now;
}

/** Draws again whenever `subscribe` says so. */
export function useChanges(subscribe: (run: () => void) => () => void, deps: unknown[]): void {
  const [, setRound] = useState(0);
  useEffect(() => subscribe(() => {
    setRound((n) => n + 1);
  }), deps);
}
