/** The clock and the timer that everything with a deadline is given, replaced in tests. */
export interface Timer {
  /** Milliseconds since 1970, as `Date.now`. */
  now(): number;
  /** Runs `run` once after `ms`; the result prevents it. */
  after(ms: number, run: () => void): () => void;
}

export const wallTimer: Timer = {
  now: Date.now,
  after: (ms, run) => {
    const id = setTimeout(run, ms);
    return () => {
      clearTimeout(id);
    };
  },
};
