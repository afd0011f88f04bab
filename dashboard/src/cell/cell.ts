/**
 * A Cell holds one value and tells its listeners when it changes. It is the only
 * kind of shared state of the page: `state/` writes cells, views read them.
 */

export type Unsubscribe = () => void;

/** The reading side of a cell, which is what views get. */
export interface Readable<T> {
  get(): T;
  /** Calls `listener` after each change, never at once; the result ends it. */
  subscribe(listener: (value: T) => void): Unsubscribe;
}

export class Cell<T> implements Readable<T> {
  private readonly listeners = new Set<(value: T) => void>();

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  /** Stores `value` and tells the listeners, unless it is the one already held. */
  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of [...this.listeners]) listener(value);
  }

  update(change: (value: T) => T): void {
    this.set(change(this.value));
  }

  subscribe(listener: (value: T) => void): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
