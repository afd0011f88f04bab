import { describe, expect, test } from 'vitest';
import { MINUTE } from '../../test-support/samples';
import * as format from './format';

describe('quantities', () => {
  test('carry their unit', () => {
    expect(format.speed(31.6)).toBe('32 km/h');
    expect(format.flow(1234.4)).toBe('1,234 veh/h');
    expect(format.occupancy(0.1234)).toBe('12.3 %');
    expect(format.percent(0.876)).toBe('88 %');
    expect(format.score(0.3)).toBe('0.30');
    expect(format.minutes(3.44)).toBe('3.4 min');
    expect(format.kilograms(12.35)).toBe('12.4 kg');
    expect(format.distance(174.5)).toBe('175 m');
    expect(format.distance(1540)).toBe('1.5 km');
  });

  test('are a dash when absent, and 0 only when measured', () => {
    for (const write of [format.speed, format.flow, format.occupancy, format.score, format.whole]) {
      expect(write(null)).toBe(format.ABSENT);
      expect(write(undefined)).toBe(format.ABSENT);
      expect(write(NaN)).toBe(format.ABSENT);
    }
    expect(format.speed(0)).toBe('0 km/h');
  });
});

test.each([
  [-5, '0 s'], [999, '0 s'], [59_999, '59 s'], [MINUTE, '1 min'], [59 * MINUTE, '59 min'], [60 * MINUTE, '1 h'],
  [185 * MINUTE, '3 h 5 min'], [24 * 60 * MINUTE, '1 d'], [52 * 60 * MINUTE, '2 d 4 h'], [4.6 * 365.25 * 24 * 60 * MINUTE, '4.6 years'],
])('%d ms last %s', (ms, text) => {
  expect(format.duration(ms)).toBe(text);
});

test('a moment is told in the city’s own time, with 24 hours', () => {
  const paris = new format.Clock('Europe/Paris');
  const at = Date.parse('2022-05-03T22:05:00Z');
  expect(paris.time(at)).toBe('00:05');
  expect(paris.short(at)).toBe('4 May, 00:05');
  expect(paris.full(at)).toMatch(/^Wed, 4 May 2022, 00:05 (CEST|GMT\+2)$/);
});

test('street names lose their underscores, search keys also case and accents', () => {
  expect(format.streetName(' Av_des__Champs-Élysées ')).toBe('Av des Champs-Élysées');
  expect(format.searchKey('Rue_d’ÉTÉ')).toBe('rue d’ete');
});
