import { expect, test } from 'vitest';
import { FIRST_WAIT_MS, LONGEST_WAIT_MS, waitBefore } from './backoff';

test('doubles up to a limit, half of it by chance', () => {
  expect(waitBefore(1, 1)).toBe(FIRST_WAIT_MS);
  expect(waitBefore(1, 0)).toBe(FIRST_WAIT_MS / 2);
  expect(waitBefore(3, 1)).toBe(4 * FIRST_WAIT_MS);
  expect(waitBefore(500, 1)).toBe(LONGEST_WAIT_MS);
  for (let n = 1; n < 40; n++) expect(waitBefore(n + 1, 0.5)).toBeGreaterThanOrEqual(waitBefore(n, 0.5));
});
