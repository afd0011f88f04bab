import { describe, expect, test } from 'vitest';
import { chance } from '../../test-support/fake_network';
import { moveRow, rowWindow, scrollTo } from './windowing';

describe('rowWindow', () => {
  test('covers what is visible and little more, wherever one scrolls', () => {
    const random = chance(3);
    for (let i = 0; i < 500; i++) {
      const count = Math.floor(random() * 40_000);
      const height = 100 + random() * 2000;
      const scrollTop = random() * count * 34 * 1.2;
      const { first, last } = rowWindow(scrollTop, height, 34, count);
      expect(first).toBeGreaterThanOrEqual(0);
      expect(last).toBeLessThanOrEqual(count);
      expect(first).toBeLessThanOrEqual(last);
      expect(last - first).toBeLessThanOrEqual(Math.ceil(height / 34) + 18);
      if (scrollTop + height <= count * 34) {
        expect(first * 34).toBeLessThanOrEqual(scrollTop);
        expect(last * 34).toBeGreaterThanOrEqual(scrollTop + height);
      }
    }
  });

  test('an empty list has no rows', () => {
    expect(rowWindow(0, 500, 34, 0)).toEqual({ first: 0, last: 0 });
  });
});

test('keys move within the list', () => {
  expect(moveRow('ArrowDown', 4, 10, 5)).toBe(5);
  expect(moveRow('ArrowUp', 0, 10, 5)).toBe(0);
  expect(moveRow('PageDown', 4, 10, 8)).toBe(9);
  expect(moveRow('End', 0, 10, 5)).toBe(9);
  expect(moveRow('Home', 7, 10, 5)).toBe(0);
  expect(moveRow('x', 7, 10, 5)).toBeNull();
  expect(moveRow('ArrowDown', 0, 0, 5)).toBeNull();
});

test('scrolling shows the row whole with the least movement', () => {
  expect(scrollTo(0, 500, 340, 34)).toBe(0);
  expect(scrollTo(20, 500, 340, 34)).toBe(500);
  expect(scrollTo(30, 500, 340, 34)).toBe(30 * 34 + 34 - 340);
});
