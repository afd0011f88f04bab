import { expect, test } from 'vitest';
import { FakeTimer } from '../../test-support/fake_timer';
import { Coalescer } from './coalesce';

function setup(): { timer: FakeTimer; out: string[][]; coalescer: Coalescer<string> } {
  const timer = new FakeTimer();
  const out: string[][] = [];
  const coalescer = new Coalescer<string>((keys) => out.push([...keys]), 500, timer);
  return { timer, out, coalescer };
}

test('the first key after a quiet time goes out at once', () => {
  const { timer, out, coalescer } = setup();
  coalescer.add(['a']);
  timer.pass(0);
  expect(out).toEqual([['a']]);
});

test('a burst goes out once per interval, each key once', () => {
  const { timer, out, coalescer } = setup();
  for (let ms = 0; ms < 1000; ms += 10) {
    coalescer.add(['a', `k${ms % 20}`]);
    timer.pass(10);
  }
  timer.pass(1000);
  expect(out.length).toBe(3);
  expect(out[1]).toEqual(expect.arrayContaining(['a', 'k0', 'k10']));
  expect(out.every((keys) => new Set(keys).size === keys.length)).toBe(true);
});

test('nothing pending, nothing told; nothing left running', () => {
  const { timer, out, coalescer } = setup();
  coalescer.add([]);
  coalescer.flush();
  timer.pass(5000);
  expect(out).toEqual([]);
  coalescer.add(['a']);
  coalescer.stop();
  expect(timer.pending).toBe(0);
});

test('a clock that jumps back does not stop the flow', () => {
  const { timer, out, coalescer } = setup();
  coalescer.add(['a']);
  timer.pass(0);
  const real = timer.now();
  timer.now = () => real - 3_600_000;
  coalescer.add(['b']);
  timer.pass(500);
  expect(out).toEqual([['a'], ['b']]);
});
