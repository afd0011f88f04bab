import { expect, test } from 'vitest';
import { streetsOf } from './streets';

test('a street is named once while one stays on it, and again when one comes back', () => {
  const path = ['Rue_A', 'Rue_A', 'Rue_B', '', 'Rue_A'].map((label, i) => ({ road_id: `R${i}`, label }));
  expect(streetsOf(path)).toEqual([
    { name: 'Rue A', firstRoad: 'R0' }, { name: 'Rue B', firstRoad: 'R2' }, { name: 'R3', firstRoad: 'R3' }, { name: 'Rue A', firstRoad: 'R4' },
  ]);
  expect(streetsOf([])).toEqual([]);
});
