/**
 * A Coalescer gathers keys that changed and hands them on together, at most once
 * per interval: a burst of ten thousand readings costs one redraw. The first key
 * after a quiet time goes out at once, so a single change is not delayed.
 */
import { wallTimer, type Timer } from '../timer/timer';

export class Coalescer<K> {
  private pending = new Set<K>();
  private cancel: (() => void) | null = null;
  private lastFlush = -Infinity;

  constructor(
    private readonly flushed: (keys: ReadonlySet<K>) => void,
    private readonly intervalMs: number,
    private readonly timer: Timer = wallTimer,
  ) {}

  add(keys: Iterable<K>): void {
    for (const key of keys) this.pending.add(key);
    if (this.pending.size === 0 || this.cancel !== null) return;
    const wait = this.lastFlush + this.intervalMs - this.timer.now();
    this.cancel = this.timer.after(Math.min(this.intervalMs, Math.max(0, wait)), () => {
      this.flush();
    });
  }

  /** Hands on what is pending now; nothing happens when nothing is. */
  flush(): void {
    this.stop();
    if (this.pending.size === 0) return;
    const keys = this.pending;
    this.pending = new Set();
    this.lastFlush = this.timer.now();
    this.flushed(keys);
  }

  /** Forgets the timer; pending keys stay for the next add or flush. */
  stop(): void {
    this.cancel?.();
    this.cancel = null;
  }
}
