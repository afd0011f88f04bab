import type { Timer } from '../src/timer/timer';

/** A Timer that moves only when told to. */
export class FakeTimer implements Timer {
  private time = 1_000_000;
  private readonly waiting = new Map<number, { at: number; run: () => void }>();
  private made = 0;

  now = (): number => this.time;

  after = (ms: number, run: () => void): (() => void) => {
    const id = this.made++;
    this.waiting.set(id, { at: this.time + ms, run });
    return () => this.waiting.delete(id);
  };

  /** Lets `ms` pass and runs what falls due on the way, in order. */
  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.waiting].filter(([, w]) => w.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.waiting.delete(due[0]);
      this.time = Math.max(this.time, due[1].at);
      due[1].run();
    }
    this.time = end;
  }

  /** Lets `ms` pass, and then what promises wait for. */
  async passAsync(ms: number): Promise<void> {
    this.pass(ms);
    await settled();
  }

  get pending(): number {
    return this.waiting.size;
  }
}

/** Resolves after all promise callbacks that are due now. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
