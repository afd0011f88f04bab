/** How long to wait before the next try to connect. */

export const FIRST_WAIT_MS = 1_000;
export const LONGEST_WAIT_MS = 30_000;

/**
 * The wait before try number `failures` + 1, doubling from 1 s to 30 s. Half of it
 * is random, so that a thousand pages do not come back to a restarted server at
 * the same moment. `random` is in [0, 1).
 */
export function waitBefore(failures: number, random: number): number {
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, failures - 1));
  return full / 2 + (full / 2) * random;
}
