// @vitest-environment jsdom
import { describe, expect, test, vi } from 'vitest';
import { collection, feature, MINUTE, reading, T0 } from '../../test-support/samples';
import { networkOf } from '../state/network';
import { describeRoad } from './describe';
import { FitControl } from './fit_control';
import { Tooltip } from './tooltip';

const road = networkOf(collection(feature('A', 'Rue_A'))).roads[0];
if (!road) throw new Error('the sample network has no road');

describe('describeRoad', () => {
  test('names score, band and what was measured, with units', () => {
    const state = { at: T0, reading: reading('A', T0, { speed_estimated: true }) };
    expect(describeRoad(road, state, { freshness: 'fresh', score: 0.3 })).toEqual([
      'Rue A', 'Score 0.30 – Dense', '≈ 30 km/h · 400 veh/h · 10.0 % occupied',
    ]);
  });

  test('says nothing of what was not measured', () => {
    const bare = reading('A', T0, { speed_kmh: null, occupancy: null });
    expect(describeRoad(road, { at: T0, reading: bare }, { freshness: 'fresh', score: null })).toEqual(['Rue A', '400 veh/h']);
  });

  test('shows no old values as if they were new', () => {
    const state = { at: T0 - 90 * MINUTE, reading: reading('A', T0 - 90 * MINUTE) };
    const lines = describeRoad(road, state, { freshness: 'stale', score: null });
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/^No data since 5 May, \d\d:\d\d$/);
    expect(describeRoad(road, null, { freshness: 'none', score: null })).toEqual(['Rue A', 'No data yet']);
  });
});

describe('Tooltip', () => {
  test('writes names out as text and stays inside of the map', () => {
    const container = document.createElement('div');
    Object.defineProperties(container, { clientWidth: { value: 300 }, clientHeight: { value: 200 } });
    const tooltip = new Tooltip(container);
    const box = container.querySelector<HTMLElement>('.map-tooltip');
    expect(box?.hidden).toBe(true);
    tooltip.show(290, 190, ['<b>A</b>', 'two']);
    expect(box?.hidden).toBe(false);
    expect(box?.querySelector('b')).toBeNull();
    expect(box?.firstChild?.textContent).toBe('<b>A</b>');
    expect(box?.style.transform).toBe('translate(292px, 192px)');
    tooltip.hide();
    expect(box?.hidden).toBe(true);
    tooltip.remove();
    expect(container.childElementCount).toBe(0);
  });
});

test('the fit button calls, is named, and goes away whole', () => {
  const fit = vi.fn();
  const control = new FitControl(fit);
  const box = control.onAdd();
  document.body.append(box);
  const button = box.querySelector('button');
  expect(button?.getAttribute('aria-label')).toBe('Show the whole city');
  button?.click();
  expect(fit).toHaveBeenCalledOnce();
  control.onRemove();
  expect(document.body.contains(box)).toBe(false);
  expect(box.childElementCount).toBe(0);
});
