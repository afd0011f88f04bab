import { expect, test } from 'vitest';
import { iso, MINUTE, reroute, T0 } from '../../test-support/samples';
import { bestFirst, findAdvice } from './advice';

test('advice is found again after it was computed anew', () => {
  const key = { route_id: 'A', alt_route_id: 'B' };
  const [same, moved] = [reroute('A', { id: 'x2' }), reroute('A', { id: 'x3', alt_route_id: 'Z' })];
  expect(findAdvice([moved, same], key)).toBe(same);
  expect(findAdvice([moved], key)).toBe(moved);
  expect(findAdvice([reroute('Q')], key)).toBeUndefined();
  expect(findAdvice([same], null)).toBeUndefined();
});

test('the newest comes first, then what saves most', () => {
  const list = [
    reroute('old', { ts: iso(T0 - MINUTE), eta_gain_min: 9 }), reroute('small', { eta_gain_min: 1 }), reroute('big', { eta_gain_min: 4 }),
  ];
  expect(bestFirst(list).map((a) => a.route_id)).toEqual(['big', 'small', 'old']);
  expect(list[0]?.route_id).toBe('old');
});
