// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import type { Alert, Skill } from '../api/types';
import { collection, feature, iso, T0 } from '../../test-support/samples';
import { doing, makeRoom, show } from '../../test-support/stage';
import * as format from '../units/format';
import { AlertsList } from './alerts_list';
import { SkillTable } from './skill_table';

const alert: Alert = {
  id: 'x', kind: 'incident', state: 'active', severity: 'severe', road_id: 'A', road_label: 'Rue_A',
  roads: [{ road_id: 'A', label: 'Rue_A' }], start_ts: iso(T0), end_ts: null, updated_ts: iso(T0), observed: 0.9, expected: 0.2,
  lat: null, lng: null, detail: 'Stands still.',
};

test('alerts say where, how bad and since when, and open their road', async () => {
  const room = makeRoom(collection(feature('A', 'Rue_A')));
  const root = show(<AlertsList room={room} />);
  expect(root.textContent).toContain('Waiting');
  await doing(() => {
    room.city.receive({ type: 'alert', seq: 1, data: [alert] });
  });
  expect(root.querySelector('.card')?.textContent).toMatch(/Severe.*Stands still\..*Since/);
  await doing(() => {
    root.querySelector<HTMLButtonElement>('.card-main')?.click();
  });
  expect(room.view.link.get().road).toBe('A');
  await doing(() => {
    room.city.receive({ type: 'alert', seq: 2, data: [] });
  });
  expect(root.textContent).toContain('No alerts');
});

test('the skill of models is a table, asked for again with new forecasts', async () => {
  const room = makeRoom(collection(feature('A', 'Rue_A')));
  const figures: Skill = {
    model_version: 'mlp', horizon_min: 30, road_group: 'all', served: false, demoted: false, forecasts: 100, mae: 0.0456, bias: 0,
    coverage: 0.81, skill_persistence: 0.25, skill_profile: null, through_ts: iso(T0),
  };
  const ask = vi.spyOn(room, 'skill').mockResolvedValue([figures]);
  const root = show(<SkillTable room={room} />);
  await doing(() => undefined);
  expect([...root.querySelectorAll('tbody td')].map((cell) => cell.textContent)).toEqual(['mlp', '0.046', format.percent(0.25), format.percent(0.81)]);
  await doing(() => {
    room.city.receive({ type: 'predictions', seq: 1, data: [] });
  });
  expect(ask).toHaveBeenCalledTimes(2);
});
