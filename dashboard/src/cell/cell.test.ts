import { expect, test, vi } from 'vitest';
import { Cell } from './cell';

test('tells listeners about changes only, until they leave', () => {
  const cell = new Cell(1);
  const heard = vi.fn();
  const leave = cell.subscribe(heard);
  cell.set(1);
  expect(heard).not.toHaveBeenCalled();
  cell.update((n) => n + 1);
  leave();
  cell.set(3);
  expect(heard.mock.calls).toEqual([[2]]);
  expect(cell.get()).toBe(3);
});

test('a listener may leave while it is told', () => {
  const cell = new Cell('a');
  const heard: string[] = [];
  const leave = cell.subscribe((v) => {
    heard.push(v);
    leave();
  });
  cell.subscribe((v) => heard.push(`second ${v}`));
  cell.set('b');
  cell.set('c');
  expect(heard).toEqual(['b', 'second b', 'second c']);
});
