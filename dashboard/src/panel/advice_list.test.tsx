// @vitest-environment jsdom
import { describe, expect, test } from 'vitest';
import { collection, reroute } from '../../test-support/samples';
import { doing, makeRoom, show } from '../../test-support/stage';
import { AdviceList } from './advice_list';

describe('the advice list', () => {
  test('waits, then says that there is none', async () => {
    const room = makeRoom(collection());
    const root = show(<AdviceList room={room} />);
    expect(root.textContent).toBe('Waiting for advice…');
    await doing(() => {
      room.city.advice.set([]);
    });
    expect(root.textContent).toBe('No advice now: no road is above the threshold.');
  });

  test('says what to avoid, which way to take, and what it saves', () => {
    const room = makeRoom(collection());
    room.city.advice.set([reroute('A', { share: 0.3 })]);
    const text = show(<AdviceList room={room} />).textContent;
    for (const part of [
      'Avoid Rue A', 'Take Rue B, Rue C', '3.4 min saved per vehicle', '12.3 kg CO₂ saved per 100 vehicles', 'Score 0.82 now.', 'Proposed', 'for 30 % of the traffic',
    ]) {
      expect(text).toContain(part);
    }
  });

  test('a detour that costs more is not praised', () => {
    const room = makeRoom(collection());
    room.city.advice.set([reroute('A', { estimated_co2_gain: -2, eta_gain_min: -1 })]);
    const text = show(<AdviceList room={room} />).textContent;
    expect(text).toContain('2.0 kg more CO₂ per 100 vehicles');
    expect(text).toContain('1.0 min lost per vehicle');
  });

  test('choosing one shows its path, and it stays chosen when it is computed anew', async () => {
    const room = makeRoom(collection());
    room.city.advice.set([reroute('A'), reroute('Z')]);
    const root = show(<AdviceList room={room} />);
    await doing(() => root.querySelector<HTMLButtonElement>('.card-main')?.click());
    expect(root.querySelector('.card-path')?.textContent).toBe('Rue BRue C');
    await doing(() => {
      room.city.advice.set([reroute('Z'), reroute('A', { id: 'another' })]);
    });
    expect(root.querySelector('.card-shown')?.getAttribute('data-advice')).toBe('another');
    await doing(() => root.querySelector<HTMLButtonElement>('.card-path button')?.click());
    expect(room.view.link.get().road).toBe('B');
  });
});
